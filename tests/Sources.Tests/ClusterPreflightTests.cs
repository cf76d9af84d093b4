using BackupDr.Contracts;
using BackupDr.Sources.PostgreSql;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>Everything that can stand in the way of a cluster's backups: it is brought about, told with its words, and gone after the very
/// statement that was told was run.</summary>
public sealed class ClusterPreflightTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    /// <param name="Code">The finding.</param>
    /// <param name="Words">What its message says.</param>
    /// <param name="Break">Statements that bring it about.</param>
    /// <param name="Restarts">Whether it and its remedy need a restart.</param>
    /// <param name="User">The role that looks.</param>
    /// <param name="Severity">How bad it is.</param>
    sealed record Row(string Code, string Words, string[] Break, bool Restarts = false, string User = "postgres",
        FindingSeverity Severity = FindingSeverity.Blocking);

    static readonly Row[] Rows =
    [
        new("sign_in", "role \"nobody\" does not exist", [], User: "nobody"),
        new("sign_in", "is not permitted to log in", ["create role late"], User: "late"),
        new("settings_right", "may not see all settings", ["create role weak login"], User: "weak"),
        new("backup_right", "may not call pg_backup_start", [], User: "weak"),
        new("replication_right", "may not receive the log", [], User: "weak"),
        new("wal_level", "wal_level is minimal", ["alter system set wal_level = 'minimal'", "alter system set max_wal_senders = 0"], true),
        new("max_wal_senders", "max_wal_senders is 0", ["alter system set max_wal_senders = 0"], true),
        new("full_page_writes", "torn pages", ["alter system set full_page_writes = off", "select pg_reload_conf()"]),
        new("max_replication_slots", "1 of 2 slots are taken, and 3 are needed", ["alter system set max_replication_slots = 2",
            "select pg_create_physical_replication_slot('other')"], true),
        new("slot_idle", "is used by nobody", ["select pg_create_physical_replication_slot('forgotten')"],
            Severity: FindingSeverity.Warning),
        new("max_slot_wal_keep_size", "has no limit", ["alter system set max_slot_wal_keep_size = -1", "select pg_reload_conf()"],
            Severity: FindingSeverity.Warning),
        new("wal_space", "the server's disk is full before", ["alter system set max_slot_wal_keep_size = '900TB'",
            "select pg_reload_conf()"], Severity: FindingSeverity.Warning),
        new("archive_failing", "archive_command 'false' fails", ["alter system set archive_mode = 'on'",
            "alter system set archive_command = 'false'"], true, Severity: FindingSeverity.Warning),
    ];

    [Fact]
    public async Task Whatever_stands_in_the_way_is_told_with_the_statement_that_mends_it()
    {
        await using var cluster = PostgresCluster.Start("max_slot_wal_keep_size = '64MB'", "wal_keep_size = 0", "min_wal_size = 32MB");
        foreach (var row in Rows)
        {
            foreach (var statement in row.Break) await cluster.Execute(statement);
            if (row.Restarts) Restart(cluster);
            if (row.Code == "archive_failing") await UntilItFails(cluster);

            var found = await Look(cluster, row.User);
            var finding = found.FirstOrDefault(one => one.Code == row.Code);
            Assert.True(finding is not null, $"{row.Code} is not told, but {string.Join(", ", found)}");
            Assert.Contains(row.Words, finding.Message, StringComparison.Ordinal);
            Assert.Equal(row.Severity, finding.Severity);
            // The statement is one to be run as it stands, up to its remark; a password is chosen by whoever runs it.
            foreach (var statement in found.Where(one => one.Code == row.Code).SelectMany(one
                => one.Remedy!.Split("--")[0].Replace("'…'", "'x'", StringComparison.Ordinal).Split(';',
                    StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
                await cluster.Execute(statement);
            if (row.Restarts) Restart(cluster);

            Assert.DoesNotContain(await Look(cluster, row.User), one => one.Code == row.Code);
        }
    }

    static void Restart(PostgresCluster cluster)
    {
        cluster.Stop();
        cluster.Start();
    }

    async Task UntilItFails(PostgresCluster cluster)
    {
        await cluster.Execute("select pg_switch_wal()");
        for (var begun = TimeProvider.System.GetTimestamp(); await cluster.Ask<long>("select failed_count from pg_stat_archiver") == 0;
            await Task.Delay(100, _ct))
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(60), "archiving does not fail");
    }

    Task<IReadOnlyList<Finding>> Look(PostgresCluster cluster, string user, ClusterPreflightOptions? options = null)
        => ClusterPreflight.Run(new ServerAddress { Host = cluster.Sockets, Port = cluster.Port, User = user },
            options ?? new ClusterPreflightOptions { Slot = "backupdr" }, _ct);

    [Fact]
    public async Task A_wrong_password_a_missing_line_and_missing_room_are_told_with_what_mends_them()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create role backupdr login replication password 'right'");
        var hba = Path.Combine(cluster.Data, "pg_hba.conf");
        File.WriteAllText(hba, "local all postgres trust\n");
        await cluster.Execute("select pg_reload_conf()");
        using var password = Secret.FromText("wrong");
        var address = new ServerAddress { Host = cluster.Sockets, Port = cluster.Port, User = "backupdr", Password = password };
        var options = new ClusterPreflightOptions { Slot = "backupdr" };

        var line = Assert.Single(await ClusterPreflight.Run(address, options, _ct));
        Assert.Contains("no pg_hba.conf entry", line.Message, StringComparison.Ordinal);
        File.AppendAllText(hba, line.Remedy!.Split('\'')[1] + "\n");
        await cluster.Execute("select pg_reload_conf()");
        var wrong = Assert.Single(await ClusterPreflight.Run(address, options, _ct));
        Assert.Contains("password authentication failed", wrong.Message, StringComparison.Ordinal);
        await cluster.Execute(wrong.Remedy!.Split("--")[0].Replace("'…'", "'wrong'", StringComparison.Ordinal));
        Assert.DoesNotContain(await ClusterPreflight.Run(address, options, _ct), one => one.Code == "sign_in");

        var gone = await Look(cluster, "postgres", new ClusterPreflightOptions { Scratch = _scratch.At("none") });
        Assert.Contains("There is no folder", gone.Single(one => one.Code == "scratch").Message, StringComparison.Ordinal);
        if (!Environment.IsPrivilegedProcess) return;
        using var small = Mount.Memory(_scratch.At("small"), "size=1m");
        var told = await Look(cluster, "postgres", new ClusterPreflightOptions
        {
            Slot = "backupdr",
            Scratch = small.Path,
            Journal = Path.Combine(small.Path, "journal"),
        });
        Assert.Contains("a test restore takes", told.Single(one => one.Code == "space").Message, StringComparison.Ordinal);
        Assert.Contains("wait there while they cannot be stored", told.Single(one => one.Code == "journal_space").Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(96_024, "The server's version 9 is older than 12.")]
    [InlineData(110_022, "The server's version 11 is older than 12.")]
    [InlineData(120_001, null)]
    [InlineData(180_001, null)]
    public void A_version_that_is_too_old_is_told(int version, string? message)
        => Assert.Equal(message, ClusterPreflight.OfVersion(version)?.Message);
}
