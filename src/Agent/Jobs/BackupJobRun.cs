using BackupDr.Agent.Clusters;
using BackupDr.Agent.Leasing;
using BackupDr.Agent.MariaDb;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.Files;
using BackupDr.Sources.Sqlite;
using BackupDr.Sources.Volumes;
using BackupDr.Storage;

namespace BackupDr.Agent.Jobs;

/// <summary>Takes a snapshot of a source.</summary>
static class BackupJobRun
{
    const int MaximumLines = 100;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, BackupJob job, RunReporter reporter, CancellationToken ct)
    {
        var places = run.Job.Repository.Replicas is { Count: > 0 } ? jobs.Places(run) : [];
        if (places.Count == 0)
            using (var repository = await jobs.Open(run, reporter, ct)) return await Take(repository, null, job, reporter, ct);
        try { return await TakeSomewhere(jobs, run, job, places, reporter, ct); }
        finally
        {
            foreach (var (_, store) in places) await store.DisposeAsync();
        }
    }

    /// <summary>At the repository's own place, and where that fails at the next: a recovery point elsewhere is better than none.</summary>
    static async Task<JobResult> TakeSomewhere(JobRunner jobs, LeasedRun run, BackupJob job,
        IReadOnlyList<(LocationId? Location, IObjectStore Store)> places, RunReporter reporter, CancellationToken ct)
    {
        BackupDrException? first = null;
        for (var at = 0; at < places.Count; at++)
        {
            var (location, store) = places[at];
            // The others answer what this one cannot read; only what this one holds counts as stored.
            IObjectStore[] order = [store, .. places.Where((_, other) => other != at).Select(other => other.Store)];
            ReplicatedStore? over = null;
            try
            {
                over = await ReplicatedStore.Open(order, ReplicaUse.Write, TimeProvider.System, ct, JobRunner.Telling(reporter));
                using var repository = await jobs.Open(run, over, reporter, ct);
                return await Take(repository, at == 0 ? null : location, job, reporter, ct);
            }
            catch (BackupDrException e) when (e is StoreException { Fault: not StoreFault.Full }
                or RepositoryException { Fault: RepositoryFault.Missing })
            {
                first ??= e;
                if (at + 1 < places.Count) reporter.Event(EventLevel.Warning, "backup.failover",
                    $"{store.Url} cannot be used: {e.Message} The backup goes to {places[at + 1].Store.Url}; both are made equal later.");
            }
            finally
            {
                if (over is not null) await over.StopLooking();   // the places are closed by our caller, or tried in another order
            }
        }
        throw first!;   // of the repository's own place
    }

    static async Task<JobResult> Take(Repository repository, LocationId? elsewhere, BackupJob job, RunReporter reporter,
        CancellationToken ct)
    {
        reporter.Event(EventLevel.Info, "backup.begin", $"Backing up {job.Source.Title} to {repository.Store.Url}.");
        var progress = new JobRunner.Direct<BackupProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = "uploading",
            FilesDone = now.FilesDone,
            FilesTotal = now.FilesTotal,
            BytesDone = now.BytesDone,
            BytesTotal =
                now.BytesTotal,
            Current = now.Current,
        }));
        var remarks = new Remarks(reporter);
        var (summary, cluster, server) = await OfKind(repository, job, reporter, remarks, progress, ct);
        foreach (var problem in summary.Missing.Take(MaximumLines)) reporter.Event(EventLevel.Warning, "backup.missing",
            $"{problem.Path}: {problem.Message}");
        foreach (var remark in summary.Remarks.Take(MaximumLines)) reporter.Event(EventLevel.Info, "backup.remark",
            $"{remark.Path}: {remark.Message}");
        reporter.Event(EventLevel.Info, "backup.snapshot", $"Snapshot {summary.SnapshotId.ToString()[..8]}: {summary.Files} files, "
            + $"{summary.Bytes} bytes, {summary.BytesNew} new, {summary.BytesStored} stored.");
        return new JobResult
        {
            Outcome = summary.IsComplete ? JobOutcome.Complete : JobOutcome.Incomplete,
            Healed = JobRunner.Healed(repository, reporter),
            Backup = new BackupResult
            {
                Location = elsewhere,
                SnapshotId = summary.SnapshotId.ToString(),
                ParentId = summary.ParentId?.ToString(),
                TakenAt = summary.Time,
                Files =
                    summary.Files,
                Folders = summary.Folders,
                FilesNew = summary.FilesNew,
                FilesChanged = summary.FilesChanged,
                Bytes = summary.Bytes,
                BytesNew = summary.BytesNew,
                BytesAdded = summary.BytesStored,
                BytesIncompressible = summary.BytesIncompressible,
                FilesVanished = summary.FilesVanished,
                ExtensionsChanged = summary.ExtensionsChanged,
                Missing = JobRunner.Cut(summary.Missing),
                MissingCount = summary.Missing.Count,
                Warnings = remarks.Warnings,
                Cluster = cluster,
                MariaDb = server,
                Seconds = summary.Duration.TotalSeconds,
            },
        };
    }

    /// <exception cref="BadInputException">The source is of a kind that this agent does not know.</exception>
    static async Task<(BackupSummary Run, ClusterPoint? Cluster, MariaDbPoint? Server)> OfKind(Repository repository, BackupJob job,
        RunReporter reporter, Remarks remarks, IProgress<BackupProgress> progress, CancellationToken ct)
    {
        switch (job.Source)
        {
            case { Kind: SourceKind.Files, Files: { } files }:
                return (await Files(repository, job, files, remarks, progress, ct), null, null);
            case { Kind: SourceKind.Sqlite, Sqlite: { } database }:
                return (await Sqlite(repository, job, database, remarks, progress, ct), null, null);
            case { Kind: SourceKind.Volume, Volume: { } volume }:
                return (await Volume(repository, job, volume, remarks, progress, ct), null, null);
            case { Kind: SourceKind.PostgreSql, PostgreSql: { } spec }:
                var (ofCluster, cluster) = await ClusterBackupRun.Run(repository, job, spec, reporter, progress, ct);
                return (ofCluster, cluster, null);
            case { Kind: SourceKind.MariaDb, MariaDb: { } spec }:
                var (ofServer, server) = await MariaDbBackupRun.Run(repository, job, spec, reporter, progress, ct);
                return (ofServer, null, server);
            default:
                throw new BadInputException("source", $"The source kind {job.Source.Kind} is unknown to this agent.",
                    "Install the agent of the node's version.");
        }
    }

    static async Task<BackupSummary> Files(Repository repository, BackupJob job, FilesSpec files, Remarks remarks,
        IProgress<BackupProgress> progress, CancellationToken ct)
    {
        await using var frozen = await FrozenTrees.Take(files.Paths, files.Snapshot ?? SnapshotUse.None, files.OneFileSystem, ct);
        foreach (var subvolume in frozen.Roots) remarks.Note($"Reading {subvolume} from a snapshot of it.");
        using var source = FileSource.Open(files, frozen);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = job.HostName,
            UserName = Environment.UserName,
            Tags = job.Tags,
            Excludes = files.Excludes,
            CountFirst = true,
        }, progress, ct);
        remarks.Warn(frozen.Warnings);
        return run;
    }

    static async Task<BackupSummary> Sqlite(Repository repository, BackupJob job, SqliteSpec database, Remarks remarks,
        IProgress<BackupProgress> progress, CancellationToken ct)
    {
        var options = new SqliteBackupOptions { HostName = job.HostName, UserName = Environment.UserName, Tags = job.Tags };
        if (database.Scratch is { } scratch) options = options with { Scratch = scratch.ToString() };
        var taken = await SqliteBackup.Run(repository, database.Path.ToString(), options, progress, ct);
        remarks.Warn(taken.Remarks);
        return taken.Run;
    }

    static async Task<BackupSummary> Volume(Repository repository, BackupJob job, VolumeSpec volume, Remarks remarks,
        IProgress<BackupProgress> progress, CancellationToken ct)
    {
        var taken = await VolumeBackup.Run(repository, volume.Path.ToString(), new VolumeBackupOptions
        {
            HostName = job.HostName,
            UserName = Environment.UserName,
            Tags = job.Tags,
            InUse = volume.InUse,
        }, progress, ct);
        remarks.Warn(taken.Remarks);
        return taken.Run;
    }

    /// <summary>What a person should know of a backup: in the run's log, and in its result.</summary>
    internal sealed class Remarks(RunReporter reporter)
    {
        readonly List<string> _warnings = [];

        /// <summary>The warnings for the result; null for none.</summary>
        public IReadOnlyList<string>? Warnings => _warnings.Count == 0 ? null : [.. _warnings.Take(MaximumLines)];

        public void Note(string text) => reporter.Event(EventLevel.Info, "backup.remark", text);

        public void Warn(IEnumerable<string> texts)
        {
            foreach (var text in texts)
            {
                if (_warnings.Count < MaximumLines) reporter.Event(EventLevel.Warning, "backup.remark", text);
                _warnings.Add(text);
            }
        }
    }
}
