using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What a test restore does.</summary>
public sealed record ClusterProofOptions
{
    /// <summary>Absolute path of an empty folder, or none yet, that the server's user can enter; removed at the end.</summary>
    public required string Folder { get; init; }
    /// <summary>The moment.</summary>
    public RecoveryTarget Target { get; init; } = RecoveryTarget.Latest;
    /// <summary>Which cluster; null where the repository holds only one.</summary>
    public string? SystemIdentifier { get; init; }
    /// <summary>The beginning of the id of the base backup; null for the best.</summary>
    public string? Base { get; init; }
    /// <summary>Queries that must each give true, in the database that stands before the colon: "orders: select count(*) > 0 from item".
    /// </summary>
    public IReadOnlyList<string> Assertions { get; init; } = [];
    /// <summary>A further look, with PGHOST, PGPORT and PGUSER; null for none.</summary>
    public CopyLook? Look { get; init; }
    /// <summary>Whether pg_amcheck looks through every table and index. Default true.</summary>
    public bool ChecksRelations { get; init; } = true;
    /// <summary>Folder of the server's programs; null for the installed ones of the backup's version.</summary>
    public string? Programs { get; init; }
    /// <summary>Longest recovery. Default 6 h.</summary>
    public TimeSpan RecoveryLimit { get; init; } = TimeSpan.FromHours(6);
    /// <summary>Bytes that stay free beside the copy.</summary>
    public long Reserve { get; init; }
    /// <summary>Told what is being done after the files are back: "recovering", "checking", "cleaning up".</summary>
    public Action<string>? OnPhase { get; init; }
    /// <summary>Leaves the folder where a check failed, so that a person can look at it.</summary>
    public bool KeepsFailed { get; init; }
}

/// <summary>Proves a recovery point: restores it, starts a server in it that nobody else can reach, looks through it, removes it.</summary>
public sealed class ClusterProof
{
    readonly ClusterProofOptions _options;
    readonly List<ProofCheck> _checks = [];
    readonly TimeProvider _clock;
    ClusterRestoreSummary? _restored;
    PrivateServer? _server;

    ClusterProof(ClusterProofOptions options, TimeProvider clock) => (_options, _clock) = (options, clock);

    string Data => Path.Combine(_options.Folder, "data");
    ServerAddress Address => _server!.Address;

    /// <summary>Runs it.</summary>
    /// <exception cref="SourceException">The moment cannot be reached, or the server's programs are missing.</exception>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<ProofReport> Run(Repository repository, ClusterProofOptions options, IProgress<RestoreProgress>? progress,
        CancellationToken ct)
    {
        if (!options.Folder.StartsWith('/')) throw new BadInputException("--scratch", $"'{options.Folder}' is no absolute path.");
        if (Disk.List(options.Folder).Count > 0) throw new BadInputException("--scratch", $"{options.Folder} is not empty.");
        var proof = new ClusterProof(options, repository.Options.Clock);
        try { return await proof.Run(repository, progress, ct); }
        finally
        {
            if (Disk.Exists(options.Folder) && !(options.KeepsFailed && proof._checks.Any(check => !check.Passed)))
            {
                options.OnPhase?.Invoke("cleaning up");
                Disk.RemoveTree(options.Folder);
            }
        }
    }

    async Task<ProofReport> Run(Repository repository, IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        var begun = _clock.GetTimestamp();
        Disk.MakeFolder(_options.Folder);
        _restored = await ClusterRestore.Run(repository, new ClusterRestoreOptions
        {
            Folder = Data,
            Target = _options.Target,
            SystemIdentifier = _options.SystemIdentifier,
            Base = _options.Base,
            IsDurable = false,
            Reserve = _options.Reserve,
        }, progress, ct);
        var restoreTime = _clock.GetElapsedTime(begun);
        Pass("restore", $"{_restored.Files.Files} files and {_restored.Segments} log segments, to {_restored.Target}.");
        _options.OnPhase?.Invoke("recovering");
        var starting = _clock.GetTimestamp();
        await using var server = _server = PrivateServer.Start(_restored, _options.Folder, Data, _options.Programs, _clock);
        var isUp = await AwaitPromotion(ct);
        var startTime = _clock.GetElapsedTime(starting);
        var checking = _clock.GetTimestamp();
        if (isUp)
        {
            _options.OnPhase?.Invoke("checking");
            if (_options.Target.Kind == TargetKind.Latest) await LookAtLog(ct);
            await LookAtCatalog(ct);
            if (_options.ChecksRelations) await LookAtRelations(ct);
            foreach (var assertion in _options.Assertions) await Assert(assertion, ct);
            if (_options.Look is { } look) _checks.Add(await look(Variables(), _restored.Owner, ct));
            await Stop(ct);
        }
        return new ProofReport(_checks, restoreTime, startTime, _clock.GetElapsedTime(checking)) { IsIsolated = server.IsIsolated };
    }

    void Pass(string name, string detail) => _checks.Add(new ProofCheck(name, true, detail));
    void Fail(string name, string detail) => _checks.Add(new ProofCheck(name, false, detail));

    Dictionary<string, string> Variables() => new()
    {
        [Isolation.Copy] = Data,
        ["PGHOST"] = Address.Host,
        ["PGPORT"] = Address.Port.ToString(CultureInfo.InvariantCulture),
        ["PGUSER"] = Address.User,
    };

    async Task<bool> AwaitPromotion(CancellationToken ct)
    {
        try
        {
            Pass("recovery", await _server!.AwaitPromotion(_options.RecoveryLimit, ct));
            return true;
        }
        catch (SourceException e)
        {
            Fail("recovery", e.Message);
            return false;
        }
    }

    /// <summary>Whether recovery read everything that is stored: the end of the last whole record in the segments that lie there.</summary>
    async Task LookAtLog(CancellationToken ct)
    {
        var (range, bytes) = (_restored!.Range, _restored.Manifest.SegmentBytes);
        var files = range.Segments.ToDictionary(segment => segment.Number, segment => Path.Combine(Data, WalFolder.Name,
            segment.Name(bytes)));
        using var reader = new WalReader(bytes, lsn => files.GetValueOrDefault(lsn.Value / (ulong)bytes));
        foreach (var _ in reader.Read(range.Base.Start, ct)) ct.ThrowIfCancellationRequested();
        await using var session = await ServerSession.Open(Address, ct);
        var replayed = Lsn.Parse(await session.Text("select pg_last_wal_replay_lsn()::text", ct));
        var commit = await session.Text("select to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')", ct);
        var words = $"{range.Segments.Count} segments from {range.Base.Start} on were replayed to {replayed}"
            + (commit.Length > 0 ? $"; the last commit in it is of {commit} UTC" : "") + (range.HasGap ? "; a gap follows" : "");
        if (_restored.LostSegment is { } lost)
            Fail("log", $"Segment {lost} of the stored log is missing, and no base backup was taken since: what was committed behind it "
                + $"cannot be restored. {words}.");
        else if (replayed >= reader.End) Pass("log", words + ".");
        else Fail("log", $"{words}, but {reader.End} is stored.");
    }

    async Task LookAtCatalog(CancellationToken ct)
    {
        await using var session = await ServerSession.Open(Address, ct);
        var manifest = _restored!.Manifest;
        var system = await session.Text("select system_identifier::text from pg_control_system()", ct);
        if (system == manifest.SystemIdentifier) Pass("identity", $"Cluster {system}.");
        else Fail("identity", $"This is cluster {system}, not {manifest.SystemIdentifier}.");
        var counts = await ClusterFacts.Count(Address, session, ct);
        var stored = new CatalogCounts(manifest.Databases, manifest.Roles, []);
        var words = $"{counts.Databases.Count} databases with {counts.Databases.Sum(database => database.Relations)} relations, "
            + $"{counts.Roles} roles";
        var mustEqual = manifest.IsCatalogSettled && _options.Target.Kind == TargetKind.EndOfBackup;
        if (!mustEqual || counts.IsEqual(stored)) Pass("catalog", words + (mustEqual ? ", as the manifest says." : "."));
        else Fail("catalog", $"{words}; the manifest says {stored.Databases.Count} databases with "
            + $"{stored.Databases.Sum(database => database.Relations)} relations, {stored.Roles} roles.");
    }

    async Task LookAtRelations(CancellationToken ct)
    {
        if (_restored!.Manifest.ServerVersion < 140_000)
        {
            var (dumped, said) = await ToolProcess.Run(_server!.Program("pg_dumpall"), [.. _server.Where, "-f", "/dev/null"],
                _restored.Owner, ct);
            if (dumped == 0) Pass("relations", "pg_dumpall read every table."); else Fail("relations", string.Join(' ', said.TakeLast(5)));
            return;
        }
        var (exitCode, lines) = await ToolProcess.Run(_server!.Program("pg_amcheck"),
            [.. _server.Where, "--all", "--install-missing", "--heapallindexed", "--rootdescend"], _restored.Owner, ct);
        if (exitCode == 0) Pass("relations", "pg_amcheck found every table and index sound.");
        else Fail("relations", $"pg_amcheck ended with {exitCode}: {string.Join(' ', lines.TakeLast(5))}");
    }

    async Task Assert(string assertion, CancellationToken ct)
    {
        var colon = assertion.IndexOf(':', StringComparison.Ordinal);
        var (database, query) = colon > 0 && !assertion[..colon].Contains(' ', StringComparison.Ordinal)
            ? (assertion[..colon], assertion[(colon + 1)..].Trim()) : ("postgres", assertion);
        try
        {
            await using var session = await ServerSession.Open(Address, ct, database);
            var answer = await session.Text(query, ct);
            _checks.Add(new ProofCheck("assertion", answer is "True", $"{database}: {query} gave {answer}."));
        }
        catch (BackupDrException e) when (e is ServerException or SourceException)
        {
            Fail("assertion", $"{database}: {query}: {e.Message}");
        }
    }

    async Task Stop(CancellationToken ct)
    {
        if (await _server!.Stop(ct) is { } words) Fail("stop", words); else Pass("stop", "The server stopped cleanly.");
    }
}
