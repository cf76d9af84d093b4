using System.Globalization;
using System.Net;
using System.Net.Sockets;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Alerts;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;
using Microsoft.AspNetCore.Http;
using static BackupDr.Scheduler.Tests.Runbooks.Steps.StepBench;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>Real listeners answer late, badly, now and then; a database says what it says.</summary>
public sealed class HealthWaitTests(SchedulerDatabases databases)
{
    static readonly TimeSpan Often = TimeSpan.FromMilliseconds(100);
    readonly StepBench _bench = new();

    HealthWait Executor() => new(_bench, TimeProvider.System);

    static StepSpec Wait(HealthSpec health) => Step(StepKind.HealthWait, step => step with { Health = health with { Every = Often } });

    static HealthSpec Http(string url, HttpExpectation? expect = null)
        => new() { Http = new HttpCallSpec { Url = url, Expect = expect ?? new() } };

    [Fact]
    public async Task It_waits_until_the_answer_is_as_it_should_be()
    {
        await using var sink = await WebSink.Start();
        var asked = 0;
        sink.Answer = response =>
        {
            response.StatusCode = ++asked < 3 ? 503 : 200;
            return response.WriteAsync(asked < 5 ? """{"state":"starting"}""" : """{"state":"up"}""");
        };

        var done = await Executor().CarryOut(Work(Wait(Http(sink.Url, new() { JsonPath = "$.state", JsonGives = "up" }))), NoStop);

        Is(ActivityOutcome.Succeeded, "answers 200", done);
        Assert.Equal(("5", 5), (done.Outputs!["attempts"], asked));
        Assert.True(DateTimeOffset.Parse(done.Outputs["firstOkAt"], CultureInfo.InvariantCulture) <= TimeProvider.System.GetUtcNow());
    }

    [Fact]
    public async Task It_has_to_be_well_without_a_break()
    {
        await using var sink = await WebSink.Start();
        var asked = 0;
        sink.Answer = response =>
        {
            if (++asked is 3) response.StatusCode = 500;
            return response.WriteAsync("");
        };
        var steady = TimeSpan.FromMilliseconds(400);

        var done = await Executor().CarryOut(Work(Wait(Http(sink.Url) with { For = steady })), NoStop);

        Is(ActivityOutcome.Succeeded, "So it did for 00:00:00.4", done);
        // Well at first, then not: the time began again after the third answer.
        Assert.True(string.CompareOrdinal(done.Outputs!["okSince"], done.Outputs["firstOkAt"]) > 0);
        Assert.True(asked > 4, $"asked {asked} times");
    }

    [Fact]
    public async Task A_time_that_ends_says_what_was_seen_last_and_a_look_waits_for_nothing()
    {
        await using var sink = await WebSink.Start();
        sink.Answer = response =>
        {
            response.StatusCode = 503;
            return response.WriteAsync("warming up");
        };
        var step = Wait(Http(sink.Url));

        var late = await Executor().CarryOut(Work(step, patience: TimeSpan.FromSeconds(2)), NoStop);
        Is(ActivityOutcome.Failed, "answers 503. It says: warming up", late);
        Assert.DoesNotContain("firstOkAt", late.Outputs!.Keys);
        sink.All.Clear();
        var look = await Executor().CarryOut(Work(step, StepActivity.Simulate), NoStop);
        Is(ActivityOutcome.Succeeded, "Looked at once: ", look);
        Assert.Equal(("no", 1), (look.Outputs!["ok"], sink.All.Count));
        using var stop = new CancellationTokenSource();
        sink.Answer = async response =>
        {
            await stop.CancelAsync();
            response.StatusCode = 503;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Executor().CarryOut(Work(step), stop.Token));
    }

    [Fact]
    public async Task A_look_that_the_end_of_the_time_cuts_off_does_not_hide_what_was_seen()
    {
        await using var sink = await WebSink.Start();
        sink.Answer = async response =>
        {
            if (sink.All.Count > 1) await Task.Delay(Timeout.InfiniteTimeSpan, response.HttpContext.RequestAborted);
            response.StatusCode = 503;
            await response.WriteAsync("warming up");
        };

        var late = await Executor().CarryOut(Work(Wait(Http(sink.Url)), patience: TimeSpan.FromSeconds(4)), NoStop);

        Is(ActivityOutcome.Failed, "It says: warming up (The time ended in the next look.)", late);
        Assert.Equal("1", late.Outputs!["attempts"]);
    }

    [Fact]
    public async Task A_port_that_opens_later_is_waited_for_and_a_rehearsal_asks_its_own()
    {
        var port = FreePorts.Find();
        using var listener = new TcpListener(IPAddress.Loopback, port);
        var address = $"127.0.0.1:{port}";
        var step = Wait(new HealthSpec { Tcp = address });
        Assert.Equal("no", (await Executor().CarryOut(Work(step, StepActivity.Simulate), NoStop)).Outputs!["ok"]);

        var waiting = Executor().CarryOut(Work(step), NoStop);
        listener.Start();
        Is(ActivityOutcome.Succeeded, "takes connections", await waiting);
        Is(ActivityOutcome.Succeeded, "takes connections", await Executor().CarryOut(Work(Wait(new HealthSpec
        {
            Tcp = "production.invalid:1",
            Rehearsal = new HealthTarget { Tcp = address },
        }), mode: ExecutionMode.Rehearsal), NoStop));
    }

    [Fact]
    public async Task A_database_is_asked_and_cannot_be_written()
    {
        await using var database = await databases.New();
        _bench.Secrets["orders"] = database.ConnectionString;
        Task<StepResult> Look(SqlProbe probe)
            => Executor().CarryOut(Work(Wait(new HealthSpec { Sql = probe }), StepActivity.Simulate), NoStop);

        Assert.Equal("yes", (await Look(new SqlProbe { ConnectionSecret = "orders" })).Outputs!["ok"]);
        var sum = new SqlProbe { ConnectionSecret = "orders", Query = "select 40 + 2", Gives = "42" };
        Assert.Equal("yes", (await Look(sum)).Outputs!["ok"]);
        Is(ActivityOutcome.Succeeded, "says '1' and not '2'", await Look(new SqlProbe { ConnectionSecret = "orders", Gives = "2" }));
        Is(ActivityOutcome.Succeeded, "read-only transaction", await Look(new SqlProbe
        {
            ConnectionSecret = "orders",
            Query = "insert into step_secret values ('a', '')",
        }));
        Is(ActivityOutcome.Succeeded, "There is no stored secret 'gone'", await Look(new SqlProbe { ConnectionSecret = "gone" }));
        _bench.Secrets["broken"] = "Host=127.0.0.1;Password=hidden;Nonsense";
        var broken = await Look(new SqlProbe { ConnectionSecret = "broken" });
        Is(ActivityOutcome.Succeeded, "'broken' is no connection string", broken);
        Assert.DoesNotContain("hidden", broken.Text, StringComparison.Ordinal);
    }
}
