using BackupDr.Agent.Hooks;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Sources.MariaDb;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Steps;

/// <summary>A restore for a program of this machine.</summary>
static class LocalRestore
{
    /// <summary>Restores the snapshot that the run names, or the newest one with a tag; up to a moment, the server which that is of.
    /// </summary>
    /// <exception cref="BackupDrException">The repository cannot be read, or holds no such snapshot.</exception>
    public static async Task<LocalAnswer> Run(AgentState state, AgentIdentity identity, LeasedRun run, string? tag, CancellationToken ct)
    {
        if (run.Job is not { Kind: JobKind.Restore, Restore: { } restore })
            throw new BadInputException("work", "The job is no restore.", "Use programs of one version.");
        var jobs = new JobRunner(state, identity, new AgentStores(identity), new HookFolder(HookFolder.Default));
        var reporter = new RunReporter(TimeProvider.System);
        DateTimeOffset? taken = null;
        // Up to a moment the restore chooses by itself what it begins with, and the log behind that says how new it is.
        var isMoment = (restore.Cluster?.Moment ?? restore.MariaDb?.Moment) is not null;
        if (!isMoment || tag is not null)
        {
            using var repository = await jobs.OpenToRead(run, reporter, ct);
            (restore, var at) = await Choose(repository, restore, tag, ct);
            if (!isMoment) taken = at;
        }
        return new LocalAnswer
        {
            Host = identity.Membership.Host,
            HostName = identity.Membership.HostName,
            Result = await jobs.Run(run with { Job = run.Job with { Restore = restore } }, reporter, ct),
            Snapshot = taken is null ? null : restore.SnapshotId,
            TakenAt = taken,
        };
    }

    /// <summary>The restore of the newest snapshot with a tag, or of the one that it names where there is no tag; and when that was taken.
    /// </summary>
    internal static async Task<(RestoreJob Restore, DateTimeOffset TakenAt)> Choose(Repository repository, RestoreJob restore, string? tag,
        CancellationToken ct)
    {
        var snapshot = tag is null ? await repository.FindSnapshot(restore.SnapshotId, SnapshotFilter.All, ct)
            : await repository.FindSnapshot("latest", new SnapshotFilter { Tags = [tag] }, ct);
        return (restore with
        {
            SnapshotId = snapshot.Id.ToString(),
            // A server that was built anew since has another identity, and the base backups of an item are of whichever it was.
            Cluster = restore.Cluster is { } cluster ? cluster with { SystemIdentifier = RecoverySet.SystemOf(snapshot) } : null,
            MariaDb = restore.MariaDb is { } server ? server with { Server = MariaDbRecoverySet.ServerOf(snapshot) } : null,
        }, snapshot.Time.ToDateTimeOffset());
    }
}
