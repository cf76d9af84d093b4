using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>The routes about secrets of steps.</summary>
static class StepSecretEndpoints
{
    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("step-secrets", (Caller caller, ListStepSecrets handler, CancellationToken ct)
            => handler.Handle(caller, new ListStepSecretsRequest(), ct)).For<ListStepSecrets>();
        api.MapPut("step-secrets/{name}", (Caller caller, string name, SaveStepSecretRequest request, SaveStepSecret handler,
            CancellationToken ct) => handler.Handle(caller, request with { Name = name }, ct)).For<SaveStepSecret>();
        api.MapDelete("step-secrets/{name}", async (Caller caller, string name, RemoveStepSecret handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, new RemoveStepSecretRequest(name), ct);
            return Results.NoContent();
        }).For<RemoveStepSecret>();
    }
}
