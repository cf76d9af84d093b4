using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.MariaDb;

/// <summary>What a test restore does.</summary>
public sealed record MariaDbProofOptions
{
    /// <summary>Absolute path of an empty folder, or none yet; removed at the end.</summary>
    public required string Folder { get; init; }
    /// <summary>The moment.</summary>
    public BinlogTarget Target { get; init; } = BinlogTarget.Latest;
    /// <summary>Which server; null where the repository holds only one.</summary>
    public string? Server { get; init; }
    /// <summary>The beginning of the id of the base backup; null for the best.</summary>
    public string? Base { get; init; }
    /// <summary>Queries that must each give another value than 0 and null: "select count(*) > 0 from shop.orders".</summary>
    public IReadOnlyList<string> Assertions { get; init; } = [];
    /// <summary>A further look, with MARIADB_OPTIONS, a file for --defaults-extra-file; null for none.</summary>
    public CopyLook? Look { get; init; }
    /// <summary>Whether every table and index is looked through. Default true.</summary>
    public bool ChecksTables { get; init; } = true;
    /// <summary>Folder of the server's programs; null for the usual ones.</summary>
    public string? Programs { get; init; }
    /// <summary>Bytes that stay free beside the copy.</summary>
    public long Reserve { get; init; }
    /// <summary>Told what is being done after the files are back: "recovering", "checking", "cleaning up".</summary>
    public Action<string>? OnPhase { get; init; }
    /// <summary>Leaves the folder where a check failed, so that a person can look at it.</summary>
    public bool KeepsFailed { get; init; }
}

/// <summary>Proves a recovery point: restores it, starts a server in it that nobody can reach, looks through it, removes it.</summary>
public sealed class MariaDbProof
{
    // What is made anew at each start, or cannot be looked through.
    const string OwnSchemas = "'information_schema', 'performance_schema', 'sys'";

    readonly MariaDbProofOptions _options;
    readonly List<ProofCheck> _checks = [];
    readonly TimeProvider _clock;

    MariaDbProof(MariaDbProofOptions options, TimeProvider clock) => (_options, _clock) = (options, clock);

    /// <summary>Runs it.</summary>
    /// <exception cref="SourceException">The moment cannot be reached, or programs are missing.</exception>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<ProofReport> Run(Repository repository, MariaDbProofOptions options, IProgress<RestoreProgress>? progress,
        CancellationToken ct)
    {
        if (!options.Folder.StartsWith('/')) throw new BadInputException("--scratch", $"'{options.Folder}' is no absolute path.");
        if (Disk.List(options.Folder).Count > 0) throw new BadInputException("--scratch", $"{options.Folder} is not empty.");
        var proof = new MariaDbProof(options, repository.Options.Clock);
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
        var restored = await MariaDbRestore.Run(repository, new MariaDbRestoreOptions
        {
            Folder = _options.Folder,
            Target = _options.Target,
            Server = _options.Server,
            Base = _options.Base,
            Programs = _options.Programs,
            IsDurable = false,
            Reserve = _options.Reserve,
            OnFilesBack = () => _options.OnPhase?.Invoke("recovering"),
        }, progress, ct);
        var restoreTime = _clock.GetElapsedTime(begun);
        Pass("restore", $"{restored.Files.Files} files, prepared.");
        if (restored.HasLog && _options.Target.Kind != BinlogTargetKind.EndOfBackup)
            _checks.Add(new ProofCheck("log", !restored.IsRestLost, Log(restored)));
        var starting = _clock.GetTimestamp();
        PrivateMariaDb server;
        try { server = await PrivateMariaDb.Start(_options.Folder, restored.Manifest, restored.Owner, _options.Programs, _clock, ct); }
        catch (SourceException e) when (e.Code == "mariadb.server_failed")
        {
            Fail("start", e.Message);
            return new ProofReport(_checks, restoreTime, _clock.GetElapsedTime(starting), TimeSpan.Zero);
        }
        await using (server)
        {
            var startTime = _clock.GetElapsedTime(starting);
            var checking = _clock.GetTimestamp();
            _options.OnPhase?.Invoke("checking");
            Pass("start", await server.Client.Text("select version()", ct));
            await Guarded("tables", () => LookAtCatalog(server, restored.Manifest, ct));
            if (_options.ChecksTables) await Guarded("check", () => CheckTables(server, ct));
            await Guarded("count", () => CountRows(server, ct));
            foreach (var assertion in _options.Assertions) await Guarded(assertion, () => Assert(server, assertion, ct));
            if (_options.Look is { } look) _checks.Add(await look(Variables(server), restored.Owner, ct));
            await Guarded("stop", async () =>
            {
                await server.Stop(ct);
                return (true, "The server stopped cleanly.");
            });
            return new ProofReport(_checks, restoreTime, startTime, _clock.GetElapsedTime(checking)) { IsIsolated = server.IsIsolated };
        }
    }

    static string Log(MariaDbRestoreSummary restored)
    {
        var (stop, end) = (restored.Stop, $"{restored.Stop.File}:{restored.Stop.Position}");
        if (stop.Transactions == 0) return $"Nothing was committed between the backup and {restored.Target}, {end}.{Gap(restored)}";
        return string.Create(CultureInfo.InvariantCulture, $"{stop.Transactions} transaction{(stop.Transactions == 1 ? "" : "s")} "
            + $"replayed, up to {end}; the last one, {stop.Last}, is of {stop.LastAt:u}.")
            + Gap(restored);
    }

    static string Gap(MariaDbRestoreSummary restored) => restored.IsRestLost
        ? " More is stored behind a gap, and no base backup was taken since: that cannot be restored."
        : restored.EndsInGap ? " More is stored behind a gap." : "";

    void Pass(string name, string detail) => _checks.Add(new ProofCheck(name, true, detail));
    void Fail(string name, string detail) => _checks.Add(new ProofCheck(name, false, detail));

    Dictionary<string, string> Variables(PrivateMariaDb server) => new()
    {
        [Isolation.Copy] = _options.Folder,
        ["MARIADB_OPTIONS"] = server.OptionsOfOwner,
    };

    async Task Guarded(string name, Func<Task<(bool Passed, string Detail)>> look)
    {
        try
        {
            var (passed, detail) = await look();
            _checks.Add(new ProofCheck(name, passed, detail));
        }
        catch (BackupDrException e) when (e is SourceException or UnavailableException or DeniedException) { Fail(name, e.Message); }
    }

    async Task<(bool, string)> LookAtCatalog(PrivateMariaDb server, MariaDbManifest manifest, CancellationToken ct)
    {
        var there = (await MariaDbFacts.Tables(server.Client, ct)).ToHashSet();
        var words = $"{there.Count} InnoDB tables";
        if (!manifest.IsCatalogSettled || _options.Target.Kind != BinlogTargetKind.EndOfBackup) return (true, words + ".");
        var missing = manifest.Tables.Where(table => !there.Contains(table)).ToList();
        return (missing.Count == 0, missing.Count == 0 ? words + ", as the manifest says."
            : $"Missing: {string.Join(", ", missing.Take(5))}");
    }

    async Task<(bool, string)> CheckTables(PrivateMariaDb server, CancellationToken ct)
    {
        var (exitCode, lines) = await ToolProcess.Run(MariaDbTools.Find(MariaDbTools.Check, _options.Programs),
            [server.Options.Argument, "--all-databases", "--check", "--extended", "--silent"], null, ct);
        // It ends with 0 also where a table is broken, and says so then.
        var said = lines.Where(line => line.Length > 0 && !line.Contains("note     :", StringComparison.Ordinal)).ToList();
        return (exitCode == 0 && said.Count == 0, exitCode == 0 && said.Count == 0 ? "CHECK TABLE … EXTENDED found every table sound."
            : $"mariadb-check ended with {exitCode}: {string.Join(' ', said.Take(6))}");
    }

    static async Task<(bool, string)> CountRows(PrivateMariaDb server, CancellationToken ct)
    {
        var tables = await server.Client.Rows("select table_schema, table_name from information_schema.tables "
            + $"where table_type = 'BASE TABLE' and table_schema not in ({OwnSchemas}) order by 1, 2", ct);
        var counts = await server.Client.Results([.. tables.Select(table => $"select count(*) from {Name(table[0]!)}.{Name(table[1]!)}")],
            ct);
        var rows = tables.Count == 0 ? 0 : counts.Sum(count => long.Parse(count[0][0]!, CultureInfo.InvariantCulture));
        return (true, string.Create(CultureInfo.InvariantCulture, $"{rows} rows in {tables.Count} tables."));
    }

    static string Name(string name) => $"`{name.Replace("`", "``", StringComparison.Ordinal)}`";

    static async Task<(bool, string)> Assert(PrivateMariaDb server, string assertion, CancellationToken ct)
    {
        var answer = await server.Client.Text(assertion, ct);
        return (answer is not ("" or "0"), $"It gave {(answer.Length == 0 ? "nothing" : answer)}.");
    }
}
