using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A server that runs: what stands in the way is told, a policy, its backup, its proof, its log, its restores, and what is
/// forgotten. How a moment comes back beside the original is looked at in the browser's journey.</summary>
public sealed class MariaDbTests
{
    const string Password = "s3cret \\ '#";

    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_is_backed_up_proven_and_restored()
    {
        await using var server = MariaDbServer.Start("log-bin=bin");
        server.Execute("create database shop; create table shop.orders (id int primary key) engine=innodb; "
            + "insert into shop.orders values (1), (2), (3); create user weak@localhost");
        await using var service = new Service();
        var outcome = await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        var spec = new MariaDbSpec { DataFolder = FilePath.FromText(server.Data), User = "weak" };

        await TheRunSaysWhatMendsIt(service, api, http, await Protect(api, host.Id, spec));
        MariaDbPage.MakeUser(server, Password);
        File.WriteAllText(service.At("password"), Password + "\n");
        var item = await Protect(api, host.Id, spec with
        {
            User = "backupdr",
            PasswordFile = FilePath.FromText(service.At("password")),
            Log = new LogSpec { FlushEvery = TimeSpan.FromSeconds(1) },
        });

        Assert.Equal($"MariaDB in {server.Data} on {host.Name}", item.Name);
        await ItIsProven(service, api, http, item, server);
        await ItsLogIsReceived(service, api, http, item, server);
        await AnotherLogIsAnotherStretch(service, http, item, server);
        await AMomentBeforeAllIsRefused(http, item);
        await OneTableComesBack(service, api, http, item, server);
        await ItTakesItsOwnPlace(service, api, http, item, server);
        await LogRemoval.Run(service, item, service.Restic(outcome), "mariadb-binlog", () =>
        {
            server.Execute("flush binary logs");
            return Task.CompletedTask;
        });
        await WhatIsRetiredLeavesNothingBehind(service, http, item);
    }

    async Task TheRunSaysWhatMendsIt(Service service, ApiClient api, HttpClient http, Item item)
    {
        Run? run = null;
        await service.Until(async () => (run = (await http.GetFromJsonAsync($"runs?item={item.Id}", WireJson.Default.RunPage, _ct))!.Runs
            .FirstOrDefault(one => one.Kind == JobKind.Backup))?.FinishedAt is not null, "the backup that may not be taken ends");
        Assert.True(run!.Result!.Error!.Code == "mariadb.preflight", run.Result.Error.ToString());
        Assert.Equal(RunState.Failed, run.State);
        Assert.Equal("GRANT RELOAD ON *.* TO 'weak'@'localhost';", run.Result.Error.Hint!.Split('\n')[0]);
        using var removed = await http.DeleteAsync($"policies/{item.Policy}", _ct);
        Assert.True(removed.IsSuccessStatusCode);
    }

    async Task ItIsProven(Service service, ApiClient api, HttpClient http, Item item, MariaDbServer server)
    {
        await service.Until(async () => (await Item(http, item.Id)).State is ItemState.Proven or ItemState.Failed,
            "the first point is looked at");
        var point = Assert.Single((await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint,
            _ct))!);
        var drill = (await api.Run(point.ProofRun!.Value, _ct)).Result!.Drill!;
        Assert.True(drill.Result == ProofResult.Proven, drill.Reason);
        Assert.Equal(["restore", "start", "tables", "check", "count", "stop"],
            drill.Checks!.Select(check => check.Name).Where(name => name != "log"));   // it may not be stored yet
        Assert.False(Directory.Exists($"/var/tmp/backupdr-drill-{point.ProofRun}"));
        var facts = point.Backup.MariaDb!;
        Assert.Equal((server.Name, server.Data), (facts.Server, facts.DataFolder.ToString()));
        Assert.Equal(new DatabaseFound("shop", 1), Assert.Single(facts.Databases));
        Assert.StartsWith("bin.000001.", facts.Position, StringComparison.Ordinal);
    }

    async Task ItsLogIsReceived(Service service, ApiClient api, HttpClient http, Item item, MariaDbServer server)
    {
        server.Execute("insert into shop.orders values (4)");
        await UntilStored(service, http, item, server);
        service.KillAgent();
        server.Execute("insert into shop.orders values (5); flush binary logs; insert into shop.orders values (6)");
        await UntilStored(service, http, item, server);
        var log = await Log(http, item);
        var stretch = Assert.Single(log.Stretches);
        Assert.True(stretch.IsOpen && stretch.To > stretch.From, stretch.ToString());
        Assert.Equal((true, null, server.Name), (log.Report!.IsReceiving, log.Report.Alarm, log.Report.SystemIdentifier));
        await ADrillReadsTheLogToo(service, api, http, item);
        await AKilledDrillLeavesNothingBehind(service, http, item);
    }

    async Task ADrillReadsTheLogToo(Service service, ApiClient api, HttpClient http, Item item)
    {
        var point = Assert.Single((await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint,
            _ct))!);
        using var answer = await http.PostAsync($"points/{point.Id}/drill", null, _ct);
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        await service.Until(async () => (await api.Run(run, _ct)).FinishedAt is not null, "the drill ends");
        var drill = (await api.Run(run, _ct)).Result!.Drill!;
        Assert.True(drill.Result == ProofResult.Proven, drill.Reason);
        Assert.StartsWith("3 transactions replayed, up to bin.000002:", drill.Checks!.First(check => check.Name == "log").Detail,
            StringComparison.Ordinal);
    }

    /// <summary>The next agent ends the server of the drill, and removes its folder.</summary>
    async Task AKilledDrillLeavesNothingBehind(Service service, HttpClient http, Item item)
    {
        var point = Assert.Single((await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint,
            _ct))!);
        using var answer = await http.PostAsync($"points/{point.Id}/drill", null, _ct);
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        var sandbox = $"/var/tmp/backupdr-drill-{run}";
        await service.Until(() => Task.FromResult(Directory.Exists(sandbox)), "the drill has its sandbox");
        service.KillAgent();
        using var cancelled = await http.PostAsync($"runs/{run}/cancel", null, _ct);
        Assert.True(cancelled.IsSuccessStatusCode);
        await service.Until(() => Task.FromResult(!Directory.Exists(sandbox)), "the next agent removed the sandbox");
        Assert.DoesNotContain(Directory.GetDirectories("/proc"), process => WorksIn(process, sandbox));
    }

    static bool WorksIn(string process, string folder)
    {
        try
        {
            return File.ResolveLinkTarget(Path.Combine(process, "cwd"), false)?.FullName.StartsWith(folder, StringComparison.Ordinal)
                == true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; }   // it ended, or is hidden from us
    }

    /// <summary>The numbers begin again: what lies before stays, and a new base backup is taken by itself.</summary>
    async Task AnotherLogIsAnotherStretch(Service service, HttpClient http, Item item, MariaDbServer server)
    {
        server.Execute("select sleep(1.1); reset master; insert into shop.orders values (10)");
        await service.Until(async () => (await Log(http, item)).Stretches.Count == 2, "a base backup of the new log was taken");
        var log = await Log(http, item);
        Assert.Equal([false, true], log.Stretches.Select(stretch => stretch.IsOpen));
        Assert.True(log.Stretches[0].To < log.Stretches[1].From);
    }

    async Task AMomentBeforeAllIsRefused(HttpClient http, Item item)
    {
        var before = (await Log(http, item)).Stretches[0].From.AddHours(-1);
        using var refused = await http.PostAsJsonAsync($"items/{item.Id}/restore",
            new RestoreMomentRequest { Moment = new Moment { Kind = MomentKind.Time, Time = before } }, WireJson.Default.Options, _ct);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("before the end of the oldest base backup", await refused.Content.ReadAsStringAsync(_ct), StringComparison.Ordinal);
    }

    async Task OneTableComesBack(Service service, ApiClient api, HttpClient http, Item item, MariaDbServer server)
    {
        server.Execute("insert into shop.orders values (11); drop table shop.orders");
        var drop = server.Ask("select @@gtid_current_pos");
        await UntilStored(service, http, item, server);
        var file = service.At("orders.sql");

        var run = await Restored(service, api, http, item, new RestoreMomentRequest
        {
            Moment = new Moment { Kind = MomentKind.Gtid, Gtid = drop, IsInclusive = false },
            Target = FilePath.FromText(file),
            Table = new DatabaseTable("shop", "orders"),
        });

        Assert.True(run.State == RunState.Complete, run.Result?.Error?.ToString());
        Assert.Equal(new DatabaseTable("shop", "orders"), run.Result!.Restore!.MariaDb!.Table);
        Tool.Succeed("sh", "-c", $"mariadb --no-defaults --socket={server.Socket} -u root shop < {file}");
        Assert.Equal("42", server.Ask("select sum(id) from shop.orders"));
        Assert.False(Directory.Exists($"/var/tmp/backupdr-drill-{run.Id}"));
    }

    async Task ItTakesItsOwnPlace(Service service, ApiClient api, HttpClient http, Item item, MariaDbServer server)
    {
        await UntilStored(service, http, item, server);
        var request = new RestoreMomentRequest { Moment = new Moment { Kind = MomentKind.Latest }, InPlace = true, Confirm = item.Name };
        var running = await Restored(service, api, http, item, request);
        Assert.Equal("mariadb.running", running.Result!.Error!.Code);
        await server.Kill();

        var run = await Restored(service, api, http, item, request);

        Assert.True(run.State == RunState.Complete, run.Result?.Error?.ToString());
        var restored = run.Result!.Restore!.MariaDb!;
        Assert.Equal((null, false), (restored.StartCommand, restored.IsRunning));
        Assert.True(File.Exists(Path.Combine(restored.KeptFolder.ToString()!, "ibdata1")));
        server.Start();
        Assert.Equal("42", server.Ask("select sum(id) from shop.orders"));
    }

    async Task WhatIsRetiredLeavesNothingBehind(Service service, HttpClient http, Item item)
    {
        using var removed = await http.DeleteAsync($"policies/{item.Policy}", _ct);
        Assert.True(removed.IsSuccessStatusCode);
        await service.Until(() => Task.FromResult(!Directory.Exists(Path.Combine(service.Data, "agent", "journal", item.Id.ToString()))),
            "the journal is removed");
    }

    static DateTimeOffset Now(MariaDbServer server) => DateTimeOffset.Parse(server.Ask("select utc_timestamp(6)"),
        CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    async Task<Run> Restored(Service service, ApiClient api, HttpClient http, Item item, RestoreMomentRequest request)
    {
        using var answer = await http.PostAsJsonAsync($"items/{item.Id}/restore", request, WireJson.Default.Options, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        var id = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        await service.Until(async () => (await api.Run(id, _ct)).FinishedAt is not null, "the restore ends");
        return await api.Run(id, _ct);
    }

    /// <summary>Until everything that was committed so far can be restored to.</summary>
    async Task UntilStored(Service service, HttpClient http, Item item, MariaDbServer server)
    {
        var now = Now(server);
        await service.Until(async () => (await Item(http, item.Id)).LogUntil > now, "the log is stored");
    }

    async Task<ItemLog> Log(HttpClient http, Item item)
        => (await http.GetFromJsonAsync($"items/{item.Id}/log", WireJson.Default.ItemLog, _ct))!;

    async Task<Item> Protect(ApiClient api, HostId host, MariaDbSpec spec) => Assert.Single((await api.CreatePolicy(
        new CreatePolicyRequest { Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.MariaDb, MariaDb = spec })] }, _ct)).Items);

    async Task<Item> Item(HttpClient http, ItemId id) => (await http.GetFromJsonAsync($"items/{id}", WireJson.Default.Item, _ct))!;
}
