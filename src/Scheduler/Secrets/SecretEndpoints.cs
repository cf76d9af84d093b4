using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;

namespace BackupDr.Scheduler.Secrets;

/// <summary>The routes about the sealing key.</summary>
static class SecretEndpoints
{
    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("secrets", (Caller caller, ShowSecretRotation handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowSecretRotationRequest(), ct)).For<ShowSecretRotation>();
        api.MapPost("secrets/rotate", (Caller caller, RotateSecrets handler, CancellationToken ct) =>
            handler.Handle(caller, new RotateSecretsRequest(), ct)).For<RotateSecrets>();
    }
}
