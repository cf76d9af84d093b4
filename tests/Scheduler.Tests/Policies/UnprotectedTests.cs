using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Policies;

public sealed class UnprotectedTests(SchedulerDatabases databases)
{
    static readonly SourceFound Root = Of(FoundKind.FileSystem, "/"), Srv = Of(FoundKind.FileSystem, "/srv"),
        Database = Of(FoundKind.Sqlite, "/srv/app/data.db"), Disk = Of(FoundKind.BlockDevice, "/dev/sdb");

    static SourceFound Of(FoundKind kind, string path) => new(kind, FilePath.FromText(path), "found", 1000);

    static SourceSpec Files(bool oneFileSystem, params string[] paths) => new()
    {
        Files = new FilesSpec { Paths = [.. paths.Select(FilePath.FromText)], OneFileSystem = oneFileSystem },
    };

    static SourceSpec Sqlite(string path) => new()
    {
        Kind = SourceKind.Sqlite,
        Sqlite = new SqliteSpec { Path = FilePath.FromText(path) },
    };

    [Fact]
    public void A_file_system_is_protected_by_a_folder_that_holds_it_and_in_part_by_one_inside()
    {
        FilePath[] mounts = [Root.Path, Srv.Path];
        Coverage Covered(SourceFound found, params SourceSpec[] items) => Protection.Of(found, mounts, items).Coverage;

        Assert.Equal(Coverage.None, Covered(Srv));
        Assert.Equal(Coverage.Whole, Covered(Srv, Files(false, "/srv")));
        Assert.Equal(Coverage.Whole, Covered(Srv, Files(false, "/")));
        Assert.Equal(Coverage.None, Covered(Srv, Files(true, "/")));              // stops at mount points
        Assert.Equal(Coverage.Whole, Covered(Srv, Files(true, "/srv")));
        Assert.Equal(Coverage.Partly, Covered(Srv, Files(false, "/etc", "/srv/data")));
        Assert.Equal(Coverage.None, Covered(Srv, Files(false, "/srvother")));
        Assert.Equal(Coverage.None, Covered(Root, Files(false, "/srv/data")));    // lies on another file system
        Assert.Contains("/srv/data", Protection.Of(Srv, mounts, [Files(false, "/srv/data")]).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_database_is_protected_by_its_own_kind_only()
    {
        FilePath[] mounts = [Root.Path];
        Coverage Covered(params SourceSpec[] items) => Protection.Of(Database, mounts, items).Coverage;

        Assert.Equal(Coverage.None, Covered());
        Assert.Equal(Coverage.Partly, Covered(Files(false, "/srv")));
        Assert.Equal(Coverage.Whole, Covered(Files(false, "/srv"), Sqlite("/srv/app/data.db")));
        Assert.Equal(Coverage.None, Covered(Sqlite("/srv/app/other.db")));
    }

    [Fact]
    public void A_cluster_is_protected_by_its_folder_or_its_port()
    {
        var found = new SourceFound(FoundKind.PostgreSql, FilePath.FromText("/var/lib/postgresql/16/main"), "PostgreSQL 16, port 5433");
        Coverage Covered(PostgreSqlSpec cluster) => Protection.Of(found, [Root.Path],
            [new SourceSpec { Kind = SourceKind.PostgreSql, PostgreSql = cluster }]).Coverage;

        Assert.Equal(Coverage.Whole, Covered(new PostgreSqlSpec { DataFolder = found.Path }));
        Assert.Equal(Coverage.Whole, Covered(new PostgreSqlSpec { Port = 5433 }));
        Assert.Equal(Coverage.None, Covered(new PostgreSqlSpec()));
    }

    [Fact]
    public void A_MariaDB_server_is_protected_by_its_folder_its_socket_or_its_port()
    {
        var found = new SourceFound(FoundKind.MariaDb, FilePath.FromText("/var/lib/mysql"),
            "MariaDB 10.11.19, port 3307, socket /run/mysqld/mysqld.sock");
        Coverage Covered(MariaDbSpec server) => Protection.Of(found, [Root.Path],
            [new SourceSpec { Kind = SourceKind.MariaDb, MariaDb = server }]).Coverage;

        Assert.Equal(SourceKind.MariaDb, Protection.As(FoundKind.MariaDb));
        Assert.Equal(Coverage.Whole, Covered(new MariaDbSpec { DataFolder = found.Path }));
        Assert.Equal(Coverage.Whole, Covered(new MariaDbSpec()));                  // the usual socket
        Assert.Equal(Coverage.Whole, Covered(new MariaDbSpec { Host = "127.0.0.1", Port = 3307 }));
        Assert.Equal(Coverage.None, Covered(new MariaDbSpec { Host = "127.0.0.1" }));
        Assert.Equal(Coverage.None, Covered(new MariaDbSpec { Host = "/run/mysqld/other.sock" }));
    }

    [Fact]
    public async Task What_an_agent_finds_is_listed_until_it_is_protected_hidden_or_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        Task Tell(params SourceFound[] found) => fleet.Get<RecordInventory>().Handle(Caller.Agent(host),
            new InventoryRequest { Sources = found }, Fleet.NoStop);
        async Task<List<string>> Listed() => [.. (await fleet.Get<ListUnprotected>().Handle(TestNode.Admin, new ListUnprotectedRequest(),
            Fleet.NoStop)).Select(one => $"{one.Coverage} {one.Found.Kind} {one.Found.Path}{(one.HiddenAt is null ? "" : " hidden")}")];

        await Tell(Root, Srv, Database, Disk, Disk);
        Assert.Equal(["None BlockDevice /dev/sdb", "None FileSystem /", "None FileSystem /srv", "None Sqlite /srv/app/data.db"],
            await Listed());
        await fleet.Protect(host, "/srv");
        Assert.Equal(["None BlockDevice /dev/sdb", "None FileSystem /", "Partly Sqlite /srv/app/data.db"], await Listed());
        await fleet.Get<HideFound>().Handle(TestNode.Admin, new HideFoundRequest(host, FoundKind.FileSystem, Root.Path,
            " made by the installer "), Fleet.NoStop);
        Assert.Equal(["None BlockDevice /dev/sdb", "Partly Sqlite /srv/app/data.db", "None FileSystem / hidden"], await Listed());

        await Tell(Srv with { SizeBytes = 5000 });
        await Tell(Root, Srv);   // hidden is hidden, also after it was away
        var only = Assert.Single(await fleet.Get<ListUnprotected>().Handle(TestNode.Admin, new ListUnprotectedRequest(), Fleet.NoStop));
        Assert.Equal(("made by the installer", "key:test"), (only.HideReason, only.HiddenBy));

        await fleet.Get<ShowFound>().Handle(TestNode.Admin, new ShowFoundRequest(host, FoundKind.FileSystem, Root.Path), Fleet.NoStop);
        Assert.Equal(["None FileSystem /"], await Listed());
        await fleet.Get<RecordInventory>().Handle(Caller.Agent(host), new InventoryRequest(), Fleet.NoStop);   // an agent that never looks
        Assert.Equal(["None FileSystem /"], await Listed());
        await fleet.Get<RetireHost>().Handle(TestNode.Admin, new RetireHostRequest(host), Fleet.NoStop);
        Assert.Empty(await Listed());
    }

    [Fact]
    public async Task A_copy_that_a_restore_put_beside_the_original_is_hidden_by_itself()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var point = (await fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(), Fleet.NoStop))[0];
        await fleet.Get<RequestRestore>().Handle(TestNode.Admin, new RequestRestoreRequest { Point = point.Id }, Fleet.NoStop);
        var target = (await fleet.Finish(host, run => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Restore = new RestoreResult { Target = run.Job.Restore!.Target },
        })).Job.Restore!.Target;
        await fleet.Get<RecordInventory>().Handle(Caller.Agent(host), new InventoryRequest
        {
            Sources = [Of(FoundKind.Sqlite, $"{target}/srv/data/app.db"), Of(FoundKind.Sqlite, $"{target}-by-hand/app.db")],
        }, Fleet.NoStop);

        var found = await fleet.Get<ListUnprotected>().Handle(TestNode.Admin, new ListUnprotectedRequest(), Fleet.NoStop);

        Assert.Equal([false, true], found.Select(one => one.IsRestoredCopy));
        Assert.Equal((null, "A restore put this copy here."), (found[0].HiddenAt, found[1].HideReason));
        Assert.NotNull(found[1].HiddenAt);
    }

    [Fact]
    public async Task A_reason_is_needed_and_a_host_cannot_tell_of_more_than_a_host_may_have()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        Task Tell(IReadOnlyList<SourceFound> found) => fleet.Get<RecordInventory>().Handle(Caller.Agent(host),
            new InventoryRequest { Sources = found }, Fleet.NoStop);
        Task Hide(string reason) => fleet.Get<HideFound>().Handle(TestNode.Admin,
            new HideFoundRequest(host, FoundKind.FileSystem, Srv.Path, reason), Fleet.NoStop);

        await Assert.ThrowsAsync<BadInputException>(() => Tell([.. Enumerable.Range(0, InventoryRequest.MostSources + 1)
            .Select(number => Of(FoundKind.Sqlite, $"/srv/{number}"))]));
        await Assert.ThrowsAsync<BadInputException>(() => Tell([Srv with { Detail = new string('x', SourceFound.LongestDetail + 1) }]));
        await Assert.ThrowsAsync<BadInputException>(() => Tell([Of(FoundKind.FileSystem, "srv")]));
        await Assert.ThrowsAsync<NotFoundException>(() => Hide("a good reason"));
        await Tell([Srv]);
        Assert.Equal("reason", (await Assert.ThrowsAsync<BadInputException>(() => Hide("  "))).Field);
    }
}
