using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Locks;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A repository in which at least two snapshots begin with the same character.</summary>
public sealed class CrowdedRepository : IAsyncLifetime
{
    public ScratchFolder Scratch { get; } = new();
    public string Path => Scratch.At("repository");

    /// <summary>A beginning that fits several snapshots, and their short ids.</summary>
    public (string Prefix, IReadOnlyList<string> Ids) Ambiguous { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Scratch.File("data/a.txt", "a");
        Scratch.File("wrong", "not the password");
        Scratch.File("right", BackupdrProgram.Password);
        using var password = Secret.FromText(BackupdrProgram.Password);
        await using var store = StoreFactory.Open(Path);
        using var repository = await Repository.Init(store, password, BackupdrProgram.QuickKey, CancellationToken.None);
        var ids = new List<string>();
        do ids.Add(await Backup(repository));
        while (ids.GroupBy(id => id[0]).All(alike => alike.Count() == 1));   // after 17 at the latest
        await using var otherStore = StoreFactory.Open(Scratch.At("other"));
        using (var other = await Repository.Init(otherStore, password, BackupdrProgram.QuickKey, CancellationToken.None))
            await Backup(other);
        var twins = ids.GroupBy(id => id[0]).Single(alike => alike.Count() > 1);
        Ambiguous = (twins.Key.ToString(), [.. twins.Select(id => id[..8])]);
    }

    async Task<string> Backup(Repository repository)
    {
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(Scratch.At("data"))] });
        var request = new BackupRequest { HostName = "here" };
        return (await BackupRun.Execute(repository, source, request, null, CancellationToken.None)).SnapshotId.ToString();
    }

    public ValueTask DisposeAsync()
    {
        Scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Every verb with what can be wrong about a repository: the message, the exit code, and that nothing changed.</summary>
public sealed class VerbTableTests(CrowdedRepository crowded) : IClassFixture<CrowdedRepository>
{
    // What it does on a disk that takes nothing, not even its lock. {data}: a folder; {dir}: the scratch folder; {repo}: the crowded
    // repository; in {dir}/other is another one.
    enum Disk { Reads, Writes, Neither }

    static readonly (string Verb, string More, Disk Disk)[] Verbs =
    [
        ("backup", "{data}", Disk.Writes),
        ("snapshots", "", Disk.Reads),
        ("ls", "latest", Disk.Reads),
        ("dump", "latest {data}/a.txt", Disk.Reads),
        ("find", "a.txt", Disk.Reads),
        ("diff", "latest latest", Disk.Reads),
        ("stats", "latest", Disk.Reads),
        ("tag", "latest --add kept", Disk.Writes),
        ("copy", "--from-repo {dir}/other --from-password-file {dir}/right", Disk.Writes),
        ("replicate", "--to {dir}/replica", Disk.Writes),
        ("key list", "", Disk.Reads),
        ("key add", "--new-password-file {dir}/wrong", Disk.Writes),
        ("key remove", "00000000", Disk.Writes),
        ("key passwd", "--new-password-file {dir}/wrong", Disk.Writes),
        ("list", "snapshots", Disk.Reads),
        ("cat", "config", Disk.Reads),
        ("restore", "latest --target {dir}/out", Disk.Neither),   // tested below, with both disks
        ("check", "", Disk.Writes),   // its lock
        ("forget", "--keep-last 1", Disk.Writes),
        ("prune", "", Disk.Writes),
        ("tier", "--class COLD --older-than 30d", Disk.Neither),   // a folder has no classes
        ("repair objects", "--from {repo}", Disk.Writes),
        ("repair index", "", Disk.Writes),
        ("repair packs", "", Disk.Writes),
        ("repair snapshots", "", Disk.Writes),
        // These work with a server, which is asked after the repository was opened.
        ("pg backup", "", Disk.Neither),
        ("pg wal", "--journal {dir}/journal", Disk.Neither),
        ("pg list", "", Disk.Neither),
        ("pg restore", "--target {dir}/out", Disk.Neither),
        ("pg forget", "--keep-last 2", Disk.Neither),
        ("pg prove", "--scratch {dir}/out", Disk.Neither),
        ("pg dump", "", Disk.Neither),
        ("pg peek", "", Disk.Neither),
        ("pg table", "shop.orders --out {dir}/out.dump", Disk.Neither),
        ("mariadb backup", "", Disk.Neither),
        ("mariadb binlog", "--journal {dir}/journal", Disk.Neither),
        ("mariadb list", "", Disk.Neither),
        ("mariadb restore", "--target {dir}/out", Disk.Neither),
        ("mariadb forget", "--keep-last 2", Disk.Neither),
        ("mariadb prove", "--scratch {dir}/out", Disk.Neither),
        ("mariadb dump", "", Disk.Neither),
        ("mariadb table", "shop.orders --out {dir}/out.sql --scratch {dir}/out", Disk.Neither),
        ("sqlite backup", "{dir}/data.db", Disk.Neither),
        ("sqlite restore", "--target {dir}/out/data.db", Disk.Neither),
        ("sqlite prove", "", Disk.Neither),
        ("volume backup", "{data}/a.txt", Disk.Writes),
        ("volume restore", "--target {dir}/out/disk.img", Disk.Neither),
        ("volume prove", "", Disk.Neither),
        ("unlock", "", Disk.Neither),   // there is no lock; tested below with one
    ];

    // Not on a repository that is there: they make one, or need none.
    static readonly string[] Others = ["repo init", "cache", "pg discover", "pg preflight", "mariadb discover", "mariadb preflight",
        "sqlite discover", "sqlite preflight", "volume discover", "volume preflight", "up", "agent", "scheduler", "console", "rebuild",
        "evidence export", "evidence verify", "policy simulate", "policy list", "policy show", "policy export", "policy new",
        "policy versions", "policy restore-version", "apply", "host list", "host label", "host approve", "host refuse",
        "runbook list", "runbook show", "runbook apply", "runbook failback", "runbook rehearse", "runbook execute", "runbook status",
        "runbook act", "runbook draft", "runbook check", "runbook versions", "runbook executions", "runbook remove",
        "runbook secrets list", "runbook secrets set", "runbook secrets remove",
        "runbook bundle", "runbook run", "runbook answer", "runbook step", "runbook merge",
        "node add", "node join", "node list", "node drain", "node remove",
        "user list", "user add", "user roles", "user disable", "user enable", "user reset", "api-key list", "api-key add", "api-key revoke",
        "approval list", "approval refuse", "audit export", "audit verify",
        "secret status", "secret rotate", "support-bundle"];

    // {x} stands for a snapshot.
    static readonly string[] Choosing =
    [
        "snapshots {x}", "ls {x}", "dump {x} /", "find a --snapshot {x}", "diff {x} {x}", "stats {x}", "tag {x} --add t",
        "copy {x} --from-repo {repo} --from-password-file {dir}/right --repo {dir}/other", "restore {x} --target {dir}/out",
        "backup {data} --parent {x}", "forget {x}",
    ];

    public static TheoryData<string> EachVerb => [.. Verbs.Select(row => $"{row.Verb} {row.More}".TrimEnd())];
    public static TheoryData<string> EachChoosingVerb => [.. Choosing];

    [Fact]
    public void Every_verb_stands_in_the_table()
    {
        static IEnumerable<string> Leaves(System.CommandLine.Command command, string before) => command.Subcommands.Count == 0 ? [before]
            : command.Subcommands.SelectMany(inner => Leaves(inner, $"{before} {inner.Name}".TrimStart()));

        Assert.Equal(Leaves(CommandLine.Root(), "").Order(), Verbs.Select(row => row.Verb).Concat(Others).Order());
        // Whatever takes a snapshot's name as its argument is tested with names that fit none or several.
        var taking = CommandLine.Root().Subcommands.Where(command => command.Arguments.Any(argument
            => argument.Name.StartsWith("SNAPSHOT", StringComparison.Ordinal) || argument.Name is "FROM" or "TO" or "ID"));
        Assert.Empty(taking.Select(command => command.Name).Except(Choosing.Select(row => row.Split(' ')[0])).Except(["cat"]));
    }

    [Theory, MemberData(nameof(EachVerb))]
    public void An_option_that_is_not_known_is_quoted(string verb)
        => AssertRefused(Run(verb, crowded.Path, "--no-such-option"), 1, "--no-such-option", BackupdrProgram.Files(crowded.Path));

    ToolResult Run(string verb, string repository, params IEnumerable<string> more)
        => BackupdrProgram.Run([.. Filled(verb, repository), .. more]);

    string[] Filled(string verb, string repository)
    {
        string[] all = [.. verb.Replace("{data}", crowded.Scratch.At("data"), StringComparison.Ordinal)
            .Replace("{repo}", crowded.Path, StringComparison.Ordinal)
            .Replace("{dir}", crowded.Scratch.Path, StringComparison.Ordinal).Split(' ')];
        return all.Contains("--repo") ? all : [.. all, "--repo", repository];
    }

    /// <summary>It failed as it should: words on stderr, nothing on stdout, no stack trace, no file changed.</summary>
    void AssertRefused(ToolResult result, int exitCode, string words, IReadOnlyList<string> before)
    {
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Output));
        Assert.Contains(words, result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
        Assert.Equal(before, BackupdrProgram.Files(crowded.Path));
        Assert.False(Directory.Exists(crowded.Scratch.At("out")));
    }

    [Theory, MemberData(nameof(EachVerb))]
    public void Without_a_repository_every_verb_says_so_and_makes_none(string verb)
    {
        var nowhere = crowded.Scratch.At("nowhere");

        AssertRefused(Run(verb, nowhere), 10, $"There is no repository at {nowhere}", BackupdrProgram.Files(crowded.Path));

        Assert.False(Directory.Exists(nowhere));
    }

    [Theory, MemberData(nameof(EachVerb))]
    public void With_the_wrong_password_no_verb_does_anything(string verb)
        => AssertRefused(Run(verb, crowded.Path, "--password-file", crowded.Scratch.At("wrong")), 12, "Wrong password",
            BackupdrProgram.Files(crowded.Path));

    [Theory, MemberData(nameof(EachChoosingVerb))]
    public void A_snapshot_that_is_not_there_is_named(string verb)
        => AssertRefused(Run(verb.Replace("{x}", "fedcba9876543210", StringComparison.Ordinal), crowded.Path), 1,
            "There is no snapshot 'fedcba9876543210'", BackupdrProgram.Files(crowded.Path));

    [Theory, MemberData(nameof(EachChoosingVerb))]
    public void A_beginning_that_fits_several_snapshots_is_refused_and_they_are_named(string verb)
    {
        var (prefix, ids) = crowded.Ambiguous;

        var result = Run(verb.Replace("{x}", prefix, StringComparison.Ordinal), crowded.Path);

        AssertRefused(result, 1, $"'{prefix}' fits {ids.Count} snapshots", BackupdrProgram.Files(crowded.Path));
        Assert.All(ids, id => Assert.Contains(id, result.Errors, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("restore latest --target {dir}/out --include [a", "--include: '[a' has a '['")]
    [InlineData("restore latest --target {dir}/out --iexclude /", "--iexclude: '/' is not a pattern")]
    [InlineData("restore latest --target {dir}/out --map-owner root", "--map-owner: 'root' is not of the form FROM=TO")]
    [InlineData("restore latest --target {dir}/out --map-group 0=no-such-group", "--map-group: there is no 'no-such-group'")]
    [InlineData("restore latest --target {dir}/out --no-owner --map-owner 0=0", "exclude each other")]
    [InlineData("restore latest --target {dir}/out --sparse --no-sparse", "exclude each other")]
    [InlineData("backup {data} --exclude [a", "'[a' has a '['")]
    [InlineData("backup {data} --chunker rolling", "rolling")]
    [InlineData("find [a", "[a")]
    [InlineData("find a --oldest yesterday", "yesterday")]
    [InlineData("snapshots --group-by size", "cannot be grouped by 'size'")]
    [InlineData("snapshots --latest 0", "0 snapshots cannot be shown")]
    [InlineData("stats --mode wrong", "wrong")]
    [InlineData("list things", "things")]
    [InlineData("cat thing", "thing")]
    [InlineData("check --read-data-subset 8/7", "8/7")]
    [InlineData("tier --class COLD --older-than month", "'month' is no length of time")]
    [InlineData("tier --class COLD --older-than 30d", "has no storage classes")]
    [InlineData("restore latest --target {dir}/out --thaw --thaw-days 0", "0 days are no time")]
    [InlineData("restore latest --target {dir}/out --thaw-wait 1h", "nothing to wait for")]
    [InlineData("dump latest / --thaw-price cheap", "'cheap' is no price")]
    [InlineData("key remove 00000000", "00000000")]
    [InlineData("pg list", "A base backup in this repository does not exist")]
    [InlineData("pg backup --pg-host {dir} --pg-port 70000", "'70000' is no port")]
    [InlineData("pg backup --pg-host {dir}", "cannot be reached")]
    [InlineData("pg wal --pg-host {dir} --journal {dir}/out", "cannot be reached")]
    [InlineData("pg wal --journal {dir}/out --flush 2h", "not between a second and an hour")]
    [InlineData("pg wal --journal {dir}/out --slot-limit much", "much")]
    [InlineData("pg wal --journal {dir}/out --over-limit panic", "'panic' is not known")]
    [InlineData("pg restore --target {dir}/out --to-time 2026-11-21T03:15:05", "is no time with a zone")]
    [InlineData("pg restore --target {dir}/out --to-lsn 12", "'12' is no position")]
    [InlineData("pg restore --target {dir}/out --to-xid -3", "-3")]
    [InlineData("pg restore --target {dir}/out --to-name a --to-xid 3", "Several moments")]
    [InlineData("pg restore --target {dir}/out --timeline 0", "is no number above 0")]
    [InlineData("pg restore --target {dir}/out --tablespace fast", "not of the form NAME=DIR")]
    [InlineData("pg restore --target {data}", "is not empty")]
    [InlineData("pg restore --target {data} --over", "no data folder of PostgreSQL")]
    [InlineData("pg restore --target {dir}/out --action wait", "'wait' is not known")]
    [InlineData("pg restore --target {dir}/out --standby-of host=a --to-xid 3", "follows its primary")]
    [InlineData("pg forget", "how many base backups")]
    [InlineData("pg forget --keep-last 0", "'0' is no number of base backups")]
    [InlineData("pg forget --keep-within soon", "'soon' is no length of time")]
    [InlineData("pg prove --scratch {data}", "is not empty")]
    [InlineData("pg dump --pg-host {dir}", "cannot be reached")]
    [InlineData("pg peek --scratch {dir}/none", "There is no folder")]
    [InlineData("pg peek --scratch {dir}", "A base backup in this repository does not exist")]
    [InlineData("pg peek --query select --timeout 0s --scratch {dir}", "is too short")]
    [InlineData("pg table shop.orders --scratch {dir}", "Say where to")]
    [InlineData("pg table --out {dir}/out.dump --scratch {dir}", "Say what to get")]
    [InlineData("pg table orders --out {dir}/out.dump --scratch {dir}", "'orders' names no table")]
    [InlineData("pg table shop.orders --out {data}/a.txt --scratch {dir}", "is there already")]
    [InlineData("pg table shop.a other.b --out {dir}/out.dump --scratch {dir}", "one database at a time")]
    [InlineData("pg table shop.orders --out {dir}/out.dump --as b --scratch {dir}", "that is loaded can get another name")]
    [InlineData("pg table shop.orders --into then --plain --scratch {dir}", "--plain goes with --out only")]
    [InlineData("pg table shop.orders --into pg_then --pg-host {dir} --scratch {dir}", "is no name")]
    [InlineData("pg table shop.orders --into then --pg-host {dir} --scratch {dir}", "cannot be reached")]
    [InlineData("mariadb list", "A base backup of MariaDB in this repository does not exist")]
    [InlineData("mariadb backup --mariadb-host {dir}/s --mariadb-port 70000", "'70000' is no port")]
    [InlineData("mariadb backup --mariadb-host {dir}/s", "cannot be reached")]
    [InlineData("mariadb backup --mariadb-host {dir}/s --parallel 0", "is not from 1 to 64")]
    [InlineData("mariadb backup --mariadb-host {dir}/s --programs {dir}", "mariadb is not there")]
    [InlineData("mariadb binlog --mariadb-host {dir}/s --journal {dir}/out", "cannot be reached")]
    [InlineData("mariadb binlog --journal {dir}/out --flush 2h", "not between a second and an hour")]
    [InlineData("mariadb restore --target {dir}/out --to-time 2026-11-21T03:15:05", "is no time with a zone")]
    [InlineData("mariadb restore --target {dir}/out --to-gtid 4711", "'4711' is no transaction")]
    [InlineData("mariadb restore --target {dir}/out --to-position 4711", "'4711' is no position")]
    [InlineData("mariadb restore --target {dir}/out --to-gtid 0-1-2 --to-backup-end", "Several moments")]
    [InlineData("mariadb restore --target {dir}/out --exclusive", "goes with --to-gtid only")]
    [InlineData("mariadb restore --target {dir}/out --port 0", "'0' is no port")]
    [InlineData("mariadb restore --target {data}", "is not empty")]
    [InlineData("mariadb restore --target {data} --over", "no data folder of MariaDB")]
    [InlineData("mariadb forget", "how many base backups")]
    [InlineData("mariadb forget --keep-last 0", "'0' is no number of base backups")]
    [InlineData("mariadb prove --scratch {data}", "is not empty")]
    [InlineData("mariadb dump --mariadb-host {dir}/s", "cannot be reached")]
    [InlineData("mariadb table orders --out {dir}/out.sql --scratch {dir}/out", "not of the form DATABASE.TABLE")]
    [InlineData("sqlite backup {data}/a.txt", "is no SQLite database")]
    [InlineData("sqlite backup {dir}/none.db", "none.db")]
    [InlineData("sqlite restore --target {data}/a.txt", "is there already")]
    [InlineData("sqlite restore --target {dir}/out.db", "A backup of a database file in this repository does not exist")]
    [InlineData("sqlite prove", "A backup of a database file in this repository does not exist")]
    [InlineData("sqlite prove --scratch {dir}/nowhere", "There is no folder")]
    [InlineData("volume backup {data}", "is neither a block device nor a file")]
    [InlineData("volume backup {dir}/none.img", "none.img")]
    [InlineData("volume restore --target {data}/a.txt", "is there already")]
    [InlineData("volume restore --target {dir}/out.img", "A backup of a volume in this repository does not exist")]
    [InlineData("volume prove", "A backup of a volume in this repository does not exist")]
    [InlineData("volume prove --scratch {dir}/nowhere", "There is no folder")]
    [InlineData("tag latest", "Give either tags to set")]
    [InlineData("copy --from-repo {repo} --from-password-file {dir}/right", "Both addresses lead to repository")]
    [InlineData("repair packs --from sftp:host:/folder", "not in this version")]
    [InlineData("cat snapshot fedcba9876543210", "fedcba9876543210")]
    public void A_pattern_or_a_rule_that_cannot_be_read_is_quoted(string verb, string words)
        => AssertRefused(Run(verb, crowded.Path), 1, words, BackupdrProgram.Files(crowded.Path));

    [Fact]
    public void On_a_read_only_disk_what_reads_works_and_what_writes_says_why_it_cannot()
    {
        using var disk = Mount.Memory(crowded.Scratch.At("read-only"), "size=32m");
        var repository = Path.Combine(disk.Path, "repository");
        Tool.Succeed("cp", "-a", crowded.Path, repository);
        Tool.Succeed("mount", "-o", "remount,ro", disk.Path);

        Assert.All([.. Verbs.Where(row => row.Disk == Disk.Reads).Select(row => $"{row.Verb} {row.More}".TrimEnd()),
            "restore latest --target {dir}/from-read-only"], verb =>
        {
            var result = Run(verb, repository);
            Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        });
        Assert.All([.. Verbs.Where(row => row.Disk == Disk.Writes).Select(row => $"{row.Verb} {row.More}".TrimEnd()),
            $"restore latest --target {disk.Path}/out"], verb => AssertDiskRefused(Run(verb, repository), verb, disk.Path,
                "Read-only file system", "Mount it read-write"));
    }

    [Fact]
    public void In_folders_that_may_not_be_written_what_writes_says_why_it_cannot_and_nothing_changes()
    {
        var repository = crowded.Scratch.At("forbidden");
        Tool.Succeed("cp", "-a", crowded.Path, repository);
        Directory.CreateDirectory(Path.Combine(repository, "locks"));
        Tool.Succeed("chmod", "-R", "a-w", repository);
        var before = BackupdrProgram.Files(repository);

        Assert.All(Verbs.Where(row => row.Disk == Disk.Writes).Select(row => $"{row.Verb} {row.More}".TrimEnd()), verb =>
            AssertDiskRefused(BackupdrProgram.RunWithoutOverride(Filled(verb, repository)), verb, repository, "Permission denied",
                "Run as a user who has the right to it"));

        Assert.Equal(before, BackupdrProgram.Files(repository));
    }

    [Fact]
    public async Task Locks_are_removed_from_a_full_disk_but_not_from_a_read_only_one()
    {
        using var disk = Mount.Memory(crowded.Scratch.At("locked"), "size=2m");
        var repository = Path.Combine(disk.Path, "repository");
        Tool.Succeed("cp", "-a", crowded.Path, repository);
        await Lock(repository);
        Tool.Succeed("mount", "-o", "remount,ro", disk.Path);

        AssertDiskRefused(Run("unlock --remove-all", repository), "unlock", repository, "Read-only file system", "Mount it read-write");

        Tool.Succeed("mount", "-o", "remount,rw", disk.Path);
        Fill(disk);
        Assert.Equal(new ToolResult(0, "Removed 1 lock.\n", ""), Run("unlock --remove-all", repository));
    }

    /// <summary>Leaves somebody's lock behind.</summary>
    static async Task Lock(string repository)
    {
        var ct = TestContext.Current.CancellationToken;
        using var password = Secret.FromText(BackupdrProgram.Password);
        await using var store = StoreFactory.Open(repository);
        using var opened = await Repository.Open(store, password, new RepositoryOptions { HostName = "elsewhere" }, ct);
        var taken = await RepositoryLock.Take(opened, exclusive: true, ct);
        var file = Assert.Single(Directory.GetFiles(Path.Combine(repository, "locks")));
        var bytes = await File.ReadAllBytesAsync(file, ct);
        await taken.DisposeAsync();
        await File.WriteAllBytesAsync(file, bytes, ct);
    }

    static void Fill(Mount disk)
    {
        var filled = Tool.Run("dd", ["if=/dev/zero", $"of={disk.Path}/filler", "bs=4k"]);
        Assert.Contains("No space left on device", filled.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_full_disk_what_writes_says_why_it_cannot_and_the_repository_stays_whole()
    {
        using var disk = Mount.Memory(crowded.Scratch.At("full"), "size=2m");
        var repository = Path.Combine(disk.Path, "repository");
        Tool.Succeed("cp", "-a", crowded.Path, repository);
        // What is not there yet would need room for itself; so it is there, and only its content finds none.
        Directory.CreateDirectory(Path.Combine(repository, "locks"));
        Fill(disk);
        var before = BackupdrProgram.Files(repository);

        Assert.All(Verbs.Where(row => row.Disk == Disk.Writes).Select(row => $"{row.Verb} {row.More}".TrimEnd()),
            verb => AssertDiskRefused(Run(verb, repository), verb, repository, "No space left on device", "Free some space"));
        Assert.Equal(before, BackupdrProgram.Files(repository));
        File.Delete(Path.Combine(disk.Path, "filler"));
        Assert.Equal(0, Run("check", repository, "--read-data").ExitCode);
    }

    /// <summary>It says where, what is wrong, and after that what to do.</summary>
    static void AssertDiskRefused(ToolResult result, string verb, string where, string words, string next)
    {
        Assert.True(result.ExitCode == 1, $"{verb}: {result.ExitCode} {result.Output} {result.Errors}");
        Assert.True(result.Errors.Split('\n') is [var first, var second, ..] && first.Contains(where, StringComparison.Ordinal)
            && first.Contains(words, StringComparison.Ordinal) && second.Contains(next, StringComparison.Ordinal),
            $"{verb}: {result.Errors}");
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_full_disk_a_restore_names_what_did_not_fit_leaves_no_half_file_and_is_continued_later()
    {
        var content = new byte[3 << 20];
        new Random(7).NextBytes(content);
        Directory.CreateDirectory(crowded.Scratch.At("large"));
        File.WriteAllBytes(crowded.Scratch.At("large/noise"), content);
        File.WriteAllText(crowded.Scratch.At("large/word"), "word");
        var repository = crowded.Scratch.At("own");
        Tool.Succeed("cp", "-a", crowded.Path, repository);
        Assert.Equal(0, Run("backup {dir}/large", repository).ExitCode);
        using var disk = Mount.Memory(crowded.Scratch.At("small"), "size=1m");
        var restore = $"restore latest:{crowded.Scratch.At("large")} --verify --target {disk.Path}";

        var full = Run(restore, repository);
        Tool.Succeed("mount", "-o", "remount,size=16m", disk.Path);
        var after = Run(restore, repository);

        Assert.Equal(3, full.ExitCode);
        Assert.Contains("/noise: ", full.Errors, StringComparison.Ordinal);
        Assert.Contains("No space left on device", full.Errors, StringComparison.Ordinal);
        Assert.Equal((0, ""), (after.ExitCode, after.Errors));
        // Whether the small file fitted depends on which of the two came first; if it did, it is not written again.
        var small = full.Errors.Contains("/word: ", StringComparison.Ordinal) ? "Restored 2 files" : "1 unchanged";
        Assert.Contains(small, after.Output, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllBytes(Path.Combine(disk.Path, "noise")));
        Assert.Equal(["noise", "word"], Directory.GetFileSystemEntries(disk.Path).Select(Path.GetFileName).Order());
    }
}
