using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A cluster that runs: what stands in the way is told, a policy, its backup, its proof, and a restore beside it.</summary>
public sealed class PostgreSqlTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cluster_is_backed_up_proven_and_restored()
    {
        await using var cluster = PostgresCluster.Start("min_wal_size = 32MB", "checkpoint_timeout = 30s");
        await cluster.Execute("create table orders (id int primary key); insert into orders values (1), (2), (3); create role weak login");
        await using var service = new Service();
        var outcome = await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        var spec = new PostgreSqlSpec { DataFolder = FilePath.FromText(cluster.Data), User = "weak" };

        await TheRunSaysWhatMendsIt(service, api, await Protect(api, host.Id, spec));
        var item = await Protect(api, host.Id, spec with { User = "postgres", Log = new LogSpec { FlushEvery = TimeSpan.FromSeconds(1) } });

        Assert.Equal($"PostgreSQL in {cluster.Data} on {host.Name}", item.Name);
        await service.Until(async () => (await Item(http, item.Id)).State is ItemState.Proven or ItemState.Failed,
            "the first point is looked at");
        var points = (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;
        var point = Assert.Single(points);
        var drill = (await api.Run(point.ProofRun!.Value, _ct)).Result!.Drill!;
        Assert.True(drill.Result == ProofResult.Proven, drill.Reason);
        Assert.Equal(["restore", "recovery", "log", "identity", "catalog", "relations", "stop"], drill.Checks!.Select(check => check.Name));
        Assert.False(Directory.Exists($"/var/tmp/backupdr-drill-{point.ProofRun}"));
        var facts = point.Backup.Cluster!;
        Assert.Equal(await cluster.Ask<string>("select system_identifier::text from pg_control_system()"), facts.SystemIdentifier);
        Assert.Equal((cluster.Data, true, 0), (facts.DataFolder.ToString(), facts.HasChecksums, facts.BrokenPages));
        Assert.Contains(facts.Databases, database => database.Name == "postgres" && database.Relations > 300);
        await ItComesBackBesideItself(service, api, http, point);
        var four = await ItsLogIsReceived(service, http, item, cluster);
        await ItComesBackFromTheKitAlone(http);
        await AGapIsKnownAndClosed(service, http, item, cluster);
        await AnyMomentComesBack(service, api, http, item, four);
        await ATableComesBackBesideItself(service, api, http, item, cluster, four);
        await ItTakesItsOwnPlace(service, api, http, item, cluster);
        await LogRemoval.Run(service, item, service.Restic(outcome), "postgresql-wal",
            () => cluster.Execute("insert into orders select coalesce(max(id), 0) + 1 from orders; select pg_switch_wal()"));
        await WhatIsRetiredLeavesNothingBehind(service, http, item, cluster);
    }

    async Task<DateTimeOffset> ItsLogIsReceived(Service service, HttpClient http, Item item, PostgresCluster cluster)
    {
        await cluster.Execute("insert into orders values (4)");
        var four = new DateTimeOffset(await cluster.Ask<DateTime>("select clock_timestamp()"));
        await UntilStored(service, http, item, cluster);
        service.KillAgent();
        await cluster.Execute("insert into orders values (5)");
        await UntilStored(service, http, item, cluster);
        var log = await Log(http, item);
        var stretch = Assert.Single(log.Stretches);
        Assert.True(stretch.IsOpen && stretch.To > stretch.From, stretch.ToString());
        Assert.Equal((true, null), (log.Report!.IsReceiving, log.Report.Alarm));
        Assert.StartsWith("backupdr_", await cluster.Ask<string>("select slot_name::text from pg_replication_slots"),
            StringComparison.Ordinal);
        return four;
    }

    /// <summary>What is indented in the kit for a shell, pasted into one on a machine with our program and PostgreSQL's.</summary>
    async Task ItComesBackFromTheKitAlone(HttpClient http)
    {
        using var answer = await http.PostAsync("recovery-kit", null, _ct);
        var kit = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RecoveryKit, _ct))!.Text.Split('\n');
        var lines = kit.Where(line => line.StartsWith("    export ", StringComparison.Ordinal)
            || line.StartsWith("    backupdr pg restore ", StringComparison.Ordinal)).ToList();
        Assert.Equal("    backupdr pg restore --target ./restored-cluster", Assert.Single(lines, line => !line.Contains("export")));
        await using var machine = PostgresCluster.Prepare();

        Tool.Succeed("env", "-i", $"PATH={Path.GetDirectoryName(PublishedProgram.Path)}:/usr/bin:/bin", "HOME=" + machine.Folder,
            "sh", "-ec", $"cd {machine.Folder}\n{string.Join('\n', lines)}");

        machine.As("pg_ctl", "-D", Path.Combine(machine.Folder, "restored-cluster"), "-w", "-o", $"-p {machine.Port} -k {machine.Sockets}",
            "-l", Path.Combine(machine.Sockets, "log"), "start");
        try { Assert.Equal(15L, await Sum(machine.Sockets, machine.Port)); }
        finally { machine.As("pg_ctl", "-D", Path.Combine(machine.Folder, "restored-cluster"), "-m", "immediate", "stop"); }
    }

    async Task AnyMomentComesBack(Service service, ApiClient api, HttpClient http, Item item, DateTimeOffset four)
    {
        await using var copy = PostgresCluster.Prepare();
        var stretches = (await Log(http, item)).Stretches;
        var gap = new Moment { Kind = MomentKind.Time, Time = stretches[0].To + (stretches[1].From - stretches[0].To) / 2 };
        using var refused = await http.PostAsJsonAsync($"items/{item.Id}/restore", new RestoreMomentRequest { Moment = gap },
            WireJson.Default.Options, _ct);
        Assert.Equal(System.Net.HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("lies in a gap of the log", await refused.Content.ReadAsStringAsync(_ct), StringComparison.Ordinal);

        var run = await Restored(service, api, http, item, new RestoreMomentRequest
        {
            Moment = new Moment { Kind = MomentKind.Time, Time = four },
            Target = FilePath.FromText(copy.Data),
            Starts = true,
        });

        Assert.True(run.State == RunState.Complete, run.Result?.Error?.ToString());
        var restored = run.Result!.Restore!.Cluster!;
        Assert.True(restored.IsRunning && restored.ReachedAt <= four && restored.ReachedLsn is not null, restored.ToString());
        Assert.Equal(10L, await Sum(restored.SocketFolder, restored.Port));   // 1 to 4, and not 5
    }

    /// <summary>Its tables at a moment are told, one of them is put beside, and neither leaves anything.</summary>
    async Task ATableComesBackBesideItself(Service service, ApiClient api, HttpClient http, Item item, PostgresCluster cluster,
        DateTimeOffset four)
    {
        var moment = new Moment { Kind = MomentKind.Time, Time = four };
        var looked = await Restored(service, api, http, item, new RestoreMomentRequest { Moment = moment, OnlyLooks = true });
        Assert.True(looked.State == RunState.Complete, looked.Result?.Error?.ToString());
        Assert.Equal(new TableSeen("postgres", "public", "orders", "table", 4, 0),
            Assert.Single(looked.Result!.Restore!.Look!.Tables) with { Bytes = 0 });
        var part = new ClusterPart { Database = "postgres", Tables = [new TableId("public", "orders")], Into = "then" };

        var run = await Restored(service, api, http, item, new RestoreMomentRequest { Moment = moment, Part = part });
        var again = await Restored(service, api, http, item, new RestoreMomentRequest { Moment = moment, Part = part });

        Assert.True(run.State == RunState.Complete, run.Result?.Error?.ToString());
        Assert.Equal(new TableTaken("public", "orders", 4, 1, "postgres.then.orders"), Assert.Single(run.Result!.Restore!.Part!.Tables));
        Assert.Equal(10, await cluster.Ask<long>("select sum(id) from \"then\".orders"));
        Assert.Equal("postgres.exists", again.Result!.Error!.Code);
        await cluster.Execute("drop schema \"then\" cascade");
        // Other tests drill beside us.
        Assert.All((RunId[])[looked.Id, run.Id, again.Id], one => Assert.Empty(Directory.GetDirectories("/var/tmp", $"backupdr-*{one}*")));
    }

    async Task ItTakesItsOwnPlace(Service service, ApiClient api, HttpClient http, Item item, PostgresCluster cluster)
    {
        await UntilStored(service, http, item, cluster);
        var sum = await cluster.Ask<long>("select sum(id) from orders");
        var request = new RestoreMomentRequest { Moment = new Moment { Kind = MomentKind.Latest }, Starts = true, InPlace = true };
        using var untyped = await http.PostAsJsonAsync($"items/{item.Id}/restore", request with { Confirm = "orders" },
            WireJson.Default.Options, _ct);
        Assert.Equal(System.Net.HttpStatusCode.BadRequest, untyped.StatusCode);
        request = request with { Confirm = item.Name };
        var running = await Restored(service, api, http, item, request);
        Assert.Equal("postgres.running", running.Result!.Error!.Code);
        cluster.Stop();

        var run = await Restored(service, api, http, item, request);

        Assert.True(run.State == RunState.Complete, run.Result?.Error?.ToString());
        Assert.Equal(sum, await cluster.Ask<long>("select sum(id) from orders"));
        Assert.True(File.Exists(Path.Combine(run.Result!.Restore!.Cluster!.KeptFolder.ToString()!, "PG_VERSION")));
    }

    async Task<Run> Restored(Service service, ApiClient api, HttpClient http, Item item, RestoreMomentRequest request)
    {
        using var answer = await http.PostAsJsonAsync($"items/{item.Id}/restore", request, WireJson.Default.Options, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        var id = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        await service.Until(async () => (await api.Run(id, _ct)).FinishedAt is not null, "the restore ends");
        return await api.Run(id, _ct);
    }

    async Task<long> Sum(string sockets, int port)
    {
        await using var connection = new Npgsql.NpgsqlConnection(
            $"Host={sockets};Port={port};Username=postgres;Database=postgres;Pooling=false");
        await connection.OpenAsync(_ct);
        await using var sum = new Npgsql.NpgsqlCommand("select sum(id) from orders", connection);
        return (long)(await sum.ExecuteScalarAsync(_ct))!;
    }

    /// <summary>The server loses log that was not stored: what lies before it stays, and a new base backup is taken by itself.</summary>
    async Task AGapIsKnownAndClosed(Service service, HttpClient http, Item item, PostgresCluster cluster)
    {
        service.KillAgent();
        await service.Until(async () => !await cluster.Ask<bool>("select active from pg_replication_slots"), "the receiver is gone");
        await cluster.Execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots");
        for (var turn = 0; turn < 4; turn++)
        {
            await cluster.Execute("insert into orders values (10 + " + turn + ")");
            await cluster.Execute("select pg_switch_wal()");
            await cluster.Execute("checkpoint");
        }
        await service.Until(async () => (await Log(http, item)).Stretches.Count == 2, "a base backup behind the gap was taken");
        var log = await Log(http, item);
        Assert.Equal([false, true], log.Stretches.Select(stretch => stretch.IsOpen));
        Assert.True(log.Stretches[0].To < log.Stretches[1].From);
    }

    async Task WhatIsRetiredLeavesNothingBehind(Service service, HttpClient http, Item item, PostgresCluster cluster)
    {
        using var removed = await http.DeleteAsync($"policies/{item.Policy}", _ct);
        Assert.True(removed.IsSuccessStatusCode);
        await service.Until(async () => await cluster.Ask<long>("select count(*) from pg_replication_slots") == 0, "the slot is dropped");
        await service.Until(() => Task.FromResult(!Directory.Exists(Path.Combine(service.Data, "agent", "journal", item.Id.ToString()))),
            "the journal is removed");
    }

    /// <summary>Until everything that was committed so far can be restored to.</summary>
    async Task UntilStored(Service service, HttpClient http, Item item, PostgresCluster cluster)
    {
        var now = new DateTimeOffset(await cluster.Ask<DateTime>("select clock_timestamp()"));
        await service.Until(async () => (await Item(http, item.Id)).LogUntil > now, "the log is stored");
    }

    async Task<ItemLog> Log(HttpClient http, Item item)
        => (await http.GetFromJsonAsync($"items/{item.Id}/log", WireJson.Default.ItemLog, _ct))!;

    async Task TheRunSaysWhatMendsIt(Service service, ApiClient api, Item item)
    {
        using var http = service.Http();
        Run? run = null;
        await service.Until(async () => (run = (await http.GetFromJsonAsync($"runs?item={item.Id}", WireJson.Default.RunPage, _ct))!.Runs
            .FirstOrDefault(one => one.Kind == JobKind.Backup))?.FinishedAt is not null, "the backup that may not be taken ends");
        Assert.True(run!.Result!.Error!.Code == "postgres.preflight", run.Result.Error.ToString());
        Assert.Equal(RunState.Failed, run.State);
        Assert.Equal("GRANT pg_read_all_settings TO \"weak\";", run.Result.Error.Hint!.Split('\n')[0]);
        using var removed = await http.DeleteAsync($"policies/{item.Policy}", _ct);
        Assert.True(removed.IsSuccessStatusCode);
    }

    async Task ItComesBackBesideItself(Service service, ApiClient api, HttpClient http, RecoveryPoint point)
    {
        await using var copy = PostgresCluster.Prepare();
        using var answer = await http.PostAsJsonAsync("restores",
            new RequestRestoreRequest { Point = point.Id, Target = FilePath.FromText(copy.Data) }, WireJson.Default.Options, _ct);
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        await service.Until(async () => (await api.Run(run, _ct)).FinishedAt is not null, "the restore ends");
        var ended = await api.Run(run, _ct);
        Assert.True(ended.State == RunState.Complete, ended.Result?.Error?.Message);
        var restored = ended.Result!.Restore!.Cluster!;
        Tool.Succeed("sh", ["-c", restored.StartCommand + " > /dev/null"]);
        Assert.Equal(6L, await Sum(restored.SocketFolder, restored.Port));
    }

    async Task<Item> Protect(ApiClient api, HostId host, PostgreSqlSpec spec) => Assert.Single((await api.CreatePolicy(
        new CreatePolicyRequest { Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.PostgreSql, PostgreSql = spec })] },
        _ct)).Items);

    async Task<Item> Item(HttpClient http, ItemId id) => (await http.GetFromJsonAsync($"items/{id}", WireJson.Default.Item, _ct))!;
}
