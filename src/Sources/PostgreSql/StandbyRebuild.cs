using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What a server that was a primary has besides what the primary of now has.</summary>
/// <param name="Timeline">The timeline that its log is on.</param>
/// <param name="Fork">Where the other one left that timeline; null where it is on it still, as for one that follows already.</param>
/// <param name="Commits">Transactions that were committed behind the fork; null where its log does not tell any more.</param>
public sealed record OwnCommits(uint Timeline, Lsn? Fork, long? Commits);

/// <summary>Makes a server that is stopped, and was a primary, a standby of the one that took over from it: with pg_rewind, or with a new
/// copy. Its settings stay its own.</summary>
/// <param name="folder">Its data folder; the account that owns it runs the programs.</param>
/// <param name="upstream">The primary of now; its role needs REPLICATION, and for pg_rewind the functions that its page names.</param>
/// <param name="clock">Names what is put aside.</param>
public sealed partial class StandbyRebuild(string folder, ServerAddress upstream, TimeProvider clock)
{
    /// <summary>Files of settings that may lie in the data folder, where pg_rewind and a copy would bring the other server's.</summary>
    static readonly string[] Settings = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"];
    const string Auto = "postgresql.auto.conf";
    const int SegmentName = 24;
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    [GeneratedRegex(@"^Latest checkpoint's TimeLineID:\s+(?<timeline>\d+)", RegexOptions.Multiline)]
    private static partial Regex TimelineLine { get; }

    [GeneratedRegex(@"^Bytes per WAL segment:\s+(?<bytes>\d+)", RegexOptions.Multiline)]
    private static partial Regex SegmentLine { get; }

    [GeneratedRegex(@"^Transaction/COMMIT(?:_PREPARED)?\s+(?<count>\d+)", RegexOptions.Multiline)]
    private static partial Regex CommitLine { get; }

    (uint Uid, uint Gid) Owner
    {
        get
        {
            var status = Descriptor.StatOf(FilePath.FromText(folder));
            return (status.Uid, status.Gid);
        }
    }

    /// <summary>Whether a server runs in the folder.</summary>
    public bool IsRunning => ClusterDiscovery.RunningIn(folder) is not null;

    /// <summary>What it has that the primary of now has not. The server must be stopped.</summary>
    /// <exception cref="SourceException">The two are not of one origin, or the other one did not take over from this one.</exception>
    /// <exception cref="UnavailableException">The primary of now does not answer.</exception>
    public async Task<OwnCommits> Look(CancellationToken ct)
    {
        var (_, lines) = await Run("pg_controldata", ["-D", folder], null, ct);
        var text = string.Join('\n', lines);
        if (TimelineLine.Match(text) is not { Success: true } ofTimeline || SegmentLine.Match(text) is not { Success: true } ofSegment)
            throw new SourceException("postgres.control_file", $"{folder} cannot be read: {ToolProcess.LastOf(lines)}",
                "Name the server's data folder in the host's list.");
        var timeline = uint.Parse(ofTimeline.Groups["timeline"].Value, CultureInfo.InvariantCulture);
        var segmentBytes = int.Parse(ofSegment.Groups["bytes"].Value, CultureInfo.InvariantCulture);
        var history = await History(ct);
        // Its last checkpoint may be of the time before it was promoted itself.
        timeline = Math.Max(timeline, Newest());
        if (history.Timeline == timeline) return new OwnCommits(timeline, null, 0);
        if (history.Branches.LastOrDefault(branch => branch.Parent == timeline) is not { Parent: > 0, Switch: var fork })
            throw new SourceException("postgres.other_history", $"{upstream} is on timeline {history.Timeline} and never was on "
                + $"{timeline}, which {folder} is on: it did not take over from this server.", "Name the primary of now.");
        return new OwnCommits(timeline, fork, await Commits(timeline, fork, segmentBytes, ct));
    }

    async Task<bool> IsClean(CancellationToken ct) => (await Run("pg_controldata", ["-D", folder], null, ct)).Lines
        .Any(line => line.StartsWith("Database cluster state:", StringComparison.Ordinal)
            && line.Contains("shut down", StringComparison.Ordinal));

    /// <summary>The newest timeline of the log in the folder.</summary>
    uint Newest() => Disk.List(Path.Combine(folder, "pg_wal")).Where(entry => entry.Name.Length == SegmentName
        && entry.Name.All(char.IsAsciiHexDigitUpper))
        .Select(entry => uint.Parse(entry.Name.AsSpan(0, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))
        .Append(0u).Max();

    /// <summary>How the timeline of the primary of now came about.</summary>
    async Task<TimelineHistory> History(CancellationToken ct)
    {
        await using var session = await ServerSession.Open(upstream, ct);
        var (system, isStandby) = await session.Row("select system_identifier::text, pg_is_in_recovery() from pg_control_system()",
            row => (row.GetString(0), row.GetBoolean(1)), ct);
        var own = ControlFile.SystemIdentifier(ControlFile.Read(folder));
        if (system != own)
            throw new SourceException("postgres.other_cluster", $"{upstream} is the cluster {system}, and {folder} is {own}: one is no "
                + "copy of the other.", "Name the primary of now.");
        if (isStandby) throw new SourceException("postgres.other_history", $"{upstream} is a standby itself.", "Name the primary of now.");
        var timeline = uint.Parse(await session.Text("select left(pg_walfile_name(pg_current_wal_lsn()), 8)", ct),
            NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return timeline == 1 ? TimelineHistory.First : TimelineHistory.Parse(timeline, await session.Text(
            "select convert_from(pg_read_binary_file($1), 'UTF8')", ct, $"pg_wal/{WalSegment.HistoryName(timeline)}"));
    }

    async Task<long?> Commits(uint timeline, Lsn fork, int segmentBytes, CancellationToken ct)
    {
        var log = Path.Combine(folder, "pg_wal");
        if (!Disk.Exists(Path.Combine(log, WalSegment.Of(timeline, fork, segmentBytes).Name(segmentBytes))))
            return Disk.List(log).Any(entry => WalSegment.TryParse(entry.Name, segmentBytes, out var segment)
                && segment.Timeline == timeline && segment.Start(segmentBytes) > fork) ? null : 0;
        // It ends with an error wherever the log ends.
        var (_, lines) = await Run("pg_waldump", ["-p", log, "-t", timeline.ToString(CultureInfo.InvariantCulture), "-s", fork.ToString(),
            "-r", "Transaction", "--stats=record"], null, ct);
        return CommitLine.Matches(string.Join('\n', lines))
            .Sum(match => long.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>Takes it to where the two parted, and to what the primary of now has since. The server must be stopped, and starts as a
    /// standby afterwards.</summary>
    /// <exception cref="SourceException">It could not be done.</exception>
    public async Task Rewind(CancellationToken ct)
    {
        await AwaitCheckpoint(ct);
        await Keeping(() => RunRewind(ct));
    }

    /// <summary>pg_rewind takes a primary for what its last checkpoint says, and that may be of the time before it was promoted.</summary>
    async Task AwaitCheckpoint(CancellationToken ct)
    {
        await using var session = await ServerSession.Open(upstream, ct);
        try { await session.Execute("checkpoint", ct); }
        catch (DeniedException)
        {
            // It makes one by itself soon after it was promoted.
            while (await session.Text("select lpad(to_hex(timeline_id), 8, '0') = lower(left(pg_walfile_name(pg_current_wal_lsn()), 8)) "
                + "from pg_control_checkpoint()", ct) != "True") await Task.Delay(LookEvery, clock, ct);
        }
    }

    async Task RunRewind(CancellationToken ct)
    {
        List<string> words = ["--target-pgdata", folder, "--source-server", Upstream(withPassword: false)];
        var settings = Disk.Exists(Path.Combine(folder, Settings[0])) ? null : DebianSettings() ?? throw new SourceException(
            "postgres.no_settings", $"There is no {Settings[0]} in {folder}, nor where Debian keeps it.",
            "Let a new copy be made instead.");
        if (settings is not null) words.AddRange(["--config-file", settings]);
        // Of a server that crashed pg_rewind needs log that the recovery, which it would make itself, takes away.
        List<string> recover = ["--single", "-F", "-D", folder, "-c", "wal_keep_size=1TB"];
        if (settings is not null) recover.AddRange(["-c", $"config_file={settings}"]);
        if (!await IsClean(ct)) await Run("postgres", [.. recover, "template1"], null, ct);
        var (code, lines) = await Run("pg_rewind", words, Password(), ct);
        if (code != 0)
            throw new SourceException("postgres.not_rewound", $"pg_rewind ended with {code}: {string.Join(' ', lines
                .Where(line => line.Contains("error", StringComparison.OrdinalIgnoreCase) || line.Contains("fatal",
                    StringComparison.OrdinalIgnoreCase)).DefaultIfEmpty(ToolProcess.LastOf(lines)).TakeLast(3))}",
                "Where it needs data checksums or wal_log_hints, or log that is gone, let a new copy be made instead.");
    }

    /// <summary>Puts the folder aside and makes a new one, a copy of the primary of now. The server must be stopped.</summary>
    /// <returns>The folder of before.</returns>
    /// <exception cref="SourceException">It could not be done; the folder is as it was.</exception>
    public async Task<string> Copy(CancellationToken ct)
    {
        if (Disk.List(Path.Combine(folder, "pg_tblspc")).Count > 0)
            throw new SourceException("postgres.tablespaces", $"{folder} has tablespaces, which a copy would need the place of.",
                "Rewind it, or make the copy by hand.");
        var (making, aside) = (folder + ".new", string.Create(CultureInfo.InvariantCulture,
            $"{folder}.before-{clock.GetUtcNow():yyyyMMddTHHmmss}"));
        if (Disk.Exists(making)) Disk.RemoveTree(making);   // what an earlier try left
        var (code, lines) = await Run("pg_basebackup", ["-D", making, "-d", Upstream(withPassword: false), "-X", "stream", "-c", "fast",
            "-w"], Password(), ct);
        if (code != 0) throw new SourceException("postgres.not_copied", $"pg_basebackup ended with {code}: {ToolProcess.LastOf(lines)}");
        await Keeping(() =>
        {
            using var above = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(folder)!));
            foreach (var (from, to) in new[] { (folder, aside), (making, folder) })
                above.Rename(FilePath.FromText(Path.GetFileName(from)).Bytes, above, FilePath.FromText(Path.GetFileName(to)).Bytes);
            above.Sync();
            return Task.CompletedTask;
        });
        return aside;
    }

    /// <summary>Does it, and puts the server's own settings back, and that it is a standby.</summary>
    async Task Keeping(Func<Task> change)
    {
        var owner = Owner;
        var own = Settings.Append(Auto).Select(name => (Name: name, Content: Disk.TryRead(Path.Combine(folder, name)))).ToList();
        await change();
        foreach (var (name, content) in own)
            if (content is not null && name != Auto) Disk.Write(Path.Combine(folder, name), content, owner);
        // Whom it followed once, and the slot that it had there, are gone with that.
        var auto = string.Concat(RestoredSettings.WithoutRecovery(Encoding.UTF8.GetString(own[^1].Content ?? [])).Split('\n')
            .Where(line => line.Length > 0 && !line.TrimStart().StartsWith("primary_", StringComparison.Ordinal))
            .Select(line => line + "\n"));
        Disk.Write(Path.Combine(folder, Auto), Encoding.UTF8.GetBytes(auto
            + RestoredSettings.Line("primary_conninfo", Upstream(withPassword: true))), owner);
        Disk.Write(Path.Combine(folder, "standby.signal"), [], owner);
    }

    /// <summary>The primary of now as libpq wants it.</summary>
    string Upstream(bool withPassword)
    {
        static string Quoted(string value) => $"'{value.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("'", @"\'",
            StringComparison.Ordinal)}'";
        var text = string.Create(CultureInfo.InvariantCulture,
            $"host={Quoted(upstream.Host)} port={upstream.Port} user={Quoted(upstream.User)} dbname={Quoted(upstream.Database)}");
        return withPassword && upstream.Password is { } password ? $"{text} password={Quoted(password.Reveal())}" : text;
    }

    Dictionary<string, string>? Password() => upstream.Password is { } password ? new() { ["PGPASSWORD"] = password.Reveal() } : null;

    /// <summary>/var/lib/postgresql/15/main has its settings in /etc/postgresql/15/main.</summary>
    string? DebianSettings() => folder.TrimEnd('/').Split('/') is [.., "postgresql", var version, var name]
        && $"/etc/postgresql/{version}/{name}/{Settings[0]}" is var file && Disk.Exists(file) ? file : null;

    async Task<(int Code, IReadOnlyList<string> Lines)> Run(string program, IReadOnlyList<string> words,
        Dictionary<string, string>? environment, CancellationToken ct)
    {
        var version = Disk.TryReadText(Path.Combine(folder, "PG_VERSION"))?.Trim();
        if (!int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var major))
            throw new SourceException("postgres.no_cluster", $"{folder} is no data folder of PostgreSQL.",
                "Name the server's data folder in the host's list.");
        await using var tool = ToolProcess.Start(Path.Combine(ClusterStart.Programs(major * 10_000), program), words, Owner, environment,
            isGuarded: true);
        return (await tool.End(ct), tool.Lines);
    }
}
