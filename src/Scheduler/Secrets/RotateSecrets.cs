using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Secrets;

/// <summary>Begins an exchange of the sealing key; one that is under way goes on.</summary>
public sealed class RotateSecrets(Postgres db, SealedSecrets secrets, ShowSecretRotation show)
{
    public async Task<SecretRotation> Handle(Caller caller, RotateSecretsRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        await db.InTransaction(async tx =>
        {
            if (!await secrets.Begin(tx, ct)) return;
            await Notifications.Changed(tx, "nodes", null, ct);
            await Audit.Add(tx, caller, "secret.rotate", "", "the nodes are given the next sealing key", ct);
        }, ct);
        return await show.Read(ct);
    }
}

/// <summary>How far the exchange of the sealing key is.</summary>
public sealed class ShowSecretRotation(Postgres db, SealingRotation rotation)
{
    public async Task<SecretRotation> Handle(Caller caller, ShowSecretRotationRequest request, CancellationToken ct)
    {
        caller.Must(Right.NodeRead);
        return await Read(ct);
    }

    internal async Task<SecretRotation> Read(CancellationToken ct)
    {
        var state = await SealingRotation.State(db, ct);
        var count = await rotation.Count(db, ct);
        return new SecretRotation
        {
            Step = state.Step,
            Sealed = count.Sealed,
            Remaining = count.Remaining,
            WaitsFor = state.WaitsFor,
            StartedAt = state.StartedAt,
            UsedSince = state.UsedSince,
        };
    }
}
