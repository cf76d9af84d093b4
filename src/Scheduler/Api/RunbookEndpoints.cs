using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Documents;
using Microsoft.AspNetCore.Mvc;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of runbooks and their executions. A rehearsal and an execution in earnest have routes of their own: neither is a
/// member away from the other.</summary>
static class RunbookEndpoints
{
    /// <summary>Largest body with documents.</summary>
    const int LargestDocumentsBytes = 16 << 20;

    /// <summary>Largest body with what an execution from a bundle wrote down.</summary>
    const int LargestMergeBytes = 96 << 20;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("runbooks", (Caller caller, ListRunbooks handler, CancellationToken ct)
            => handler.Handle(caller, new ListRunbooksRequest(), ct)).For<ListRunbooks>();
        api.MapPost("runbooks", (Caller caller, CreateRunbookRequest request, CreateRunbook handler, CancellationToken ct)
            => handler.Handle(caller, request, ct)).For<CreateRunbook>();
        api.MapPost("runbooks/apply", (Caller caller, ApplyRunbooksRequest request, ApplyRunbooks handler, CancellationToken ct)
            => handler.Handle(caller, request, ct)).For<ApplyRunbooks>().WithMetadata(new RequestSizeLimitAttribute(LargestDocumentsBytes));
        api.MapGet("runbooks/draft", (Caller caller, string item, DraftRunbook handler, CancellationToken ct)
            => handler.Handle(caller, new DraftRunbookRequest(ItemId.Parse(item)), ct)).For<DraftRunbook>();
        api.MapPost("runbooks/check", (Caller caller, CheckRunbookRequest request, CheckRunbook handler, CancellationToken ct)
            => handler.Handle(caller, request, ct)).For<CheckRunbook>().WithMetadata(new RequestSizeLimitAttribute(LargestDocumentsBytes));
        api.MapGet("runbooks/{id}", (Caller caller, string id, ShowRunbook handler, CancellationToken ct)
            => handler.Handle(caller, new ShowRunbookRequest(RunbookId.Parse(id)), ct)).For<ShowRunbook>();
        api.MapPut("runbooks/{id}", (Caller caller, string id, EditRunbookRequest request, EditRunbook handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = RunbookId.Parse(id) }, ct)).For<EditRunbook>();
        api.MapDelete("runbooks/{id}", async (Caller caller, string id, RemoveRunbook handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, new RemoveRunbookRequest(RunbookId.Parse(id)), ct);
            return Results.NoContent();
        }).For<RemoveRunbook>();
        api.MapGet("runbooks/{id}/document", (Caller caller, string id, ShowRunbookDocument handler, CancellationToken ct)
            => handler.Handle(caller, new ShowRunbookDocumentRequest(RunbookId.Parse(id)), ct)).For<ShowRunbookDocument>();
        api.MapGet("runbooks/{id}/times", (Caller caller, string id, ListStepTimes handler, CancellationToken ct)
            => handler.Handle(caller, new ListStepTimesRequest(RunbookId.Parse(id)), ct)).For<ListStepTimes>();
        api.MapGet("runbooks/{id}/versions", (Caller caller, string id, ListRunbookVersions handler, CancellationToken ct)
            => handler.Handle(caller, new ListRunbookVersionsRequest(RunbookId.Parse(id)), ct)).For<ListRunbookVersions>();
        api.MapPost("runbooks/{id}/failback", (Caller caller, string id, MakeFailbackRequest request, MakeFailback handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = RunbookId.Parse(id) }, ct)).For<MakeFailback>();
        api.MapGet("runbooks/{id}/bundle", (Caller caller, string id, ShowBundle handler, CancellationToken ct)
            => handler.Handle(caller, new ShowBundleRequest(RunbookId.Parse(id)), ct)).For<ShowBundle>();
        api.MapPost("runbooks/{id}/bundle", (Caller caller, string id, SaveBundleRequest request, SaveBundle handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = RunbookId.Parse(id) }, ct)).For<SaveBundle>();
        api.MapPost("runbooks/{id}/rehearse", (Caller caller, string id, RehearseRunbookRequest request, RehearseRunbook handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = RunbookId.Parse(id) }, ct)).For<RehearseRunbook>();
        api.MapPost("runbooks/{id}/executions", (Caller caller, string id, StartExecutionRequest request, StartExecution handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = RunbookId.Parse(id) }, ct)).For<StartExecution>();
        MapExecutions(api);
    }

    static void MapExecutions(RouteGroupBuilder api)
    {
        api.MapGet("executions", (Caller caller, string? runbook, bool? open, ListExecutions handler, CancellationToken ct)
            => handler.Handle(caller, new ListExecutionsRequest(runbook is null ? null : RunbookId.Parse(runbook), open ?? false), ct))
            .For<ListExecutions>();
        api.MapPost("executions/merge", (Caller caller, MergeExecutionRequest request, MergeExecution handler, CancellationToken ct)
            => handler.Handle(caller, request, ct)).For<MergeExecution>().WithMetadata(new RequestSizeLimitAttribute(LargestMergeBytes));
        api.MapGet("executions/{id}", (Caller caller, string id, ShowExecution handler, CancellationToken ct)
            => handler.Handle(caller, new ShowExecutionRequest(ExecutionId.Parse(id)), ct)).For<ShowExecution>();
        api.MapGet("executions/{id}/events", (Caller caller, string id, long? after, ListExecutionEvents handler, CancellationToken ct)
            => handler.Handle(caller, new ListExecutionEventsRequest(ExecutionId.Parse(id), after ?? 0), ct)).For<ListExecutionEvents>();
        api.MapPost("executions/{id}/actions", (Caller caller, string id, ActOnExecutionRequest request, ActOnExecution handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = ExecutionId.Parse(id) }, ct)).For<ActOnExecution>();
        api.MapPost("executions/{id}/approve", (Caller caller, string id, ApproveStepRequest request, ApproveStep handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = ExecutionId.Parse(id) }, ct)).For<ApproveStep>();
    }
}
