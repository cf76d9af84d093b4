using System.Net;
using System.Net.Sockets;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Runbooks.Steps.Dns;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using static BackupDr.Scheduler.Tests.Runbooks.Steps.StepBench;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>Records of a real BIND are changed, by us and by somebody else meanwhile; dig tells what came of it.</summary>
public sealed class DnsChangeTests(BindServer bind) : IClassFixture<BindServer>, IAsyncLifetime
{
    readonly StepBench _bench = new();

    public async ValueTask InitializeAsync()
    {
        if (bind.IsRunning) return;
        await bind.Start();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    DnsChange Executor(TimeSpan? clock = null)
    {
        (_bench.Secrets["dns-key"], _bench.Secrets["other-key"]) = (bind.Key, bind.OtherKey);
        return new DnsChange(_bench, _bench, clock is { } ahead ? new ShiftedTime(ahead) : TimeProvider.System);
    }

    StepSpec Change(string name, string[] to, string[]? from = null, DnsRecordKind type = DnsRecordKind.A, string? server = null,
        string key = BindServer.KeyName, string secret = "dns-key", DnsTarget? rehearsal = null)
        => Step(StepKind.DnsChange, step => step with
        {
            Dns = new DnsSpec
            {
                Server = server ?? bind.Address,
                Zone = BindServer.Zone,
                Record = $"{name}.{BindServer.Zone}",
                Key = key,
                KeySecret = secret,
                Type = type,
                From = from ?? [],
                To = to,
                Ttl = TimeSpan.FromSeconds(7),
                Rehearsal = rehearsal,
            },
        });

    [Fact]
    public async Task A_record_is_changed_once_and_put_back_also_by_somebody_who_takes_over()
    {
        bind.Update("update add a.example.test 5 A 192.0.2.1", "update add a.example.test 5 A 192.0.2.2");
        var step = Change("a", ["192.0.2.9"]);

        Is(ActivityOutcome.Succeeded, "a.example.test says 192.0.2.1 192.0.2.2, and would say 192.0.2.9",
            await Executor().CarryOut(Work(step, StepActivity.Simulate), NoStop));
        Assert.Equal("192.0.2.1\n192.0.2.2", bind.Dig("a"));
        var done = await Executor().CarryOut(Work(step), NoStop);
        Is(ActivityOutcome.Succeeded, "says 192.0.2.9 now; it said 192.0.2.1 192.0.2.2", done);
        Assert.Equal(("192.0.2.9", "192.0.2.1 192.0.2.2"), (bind.Dig("a"), done.Outputs!["old"]));
        // The node died before it could say so: the next one finds it done, and knows what was there before.
        var again = await Executor().CarryOut(Work(step), NoStop);
        Is(ActivityOutcome.Succeeded, "already", again);
        Assert.Equal(done.Outputs, again.Outputs);

        // Its own report was lost too: the notes tell.
        Is(ActivityOutcome.Succeeded, "says 192.0.2.1 192.0.2.2 again", await Executor().CarryOut(
            Work(step, StepActivity.Compensate, attempt: 2), NoStop));
        Assert.Equal("192.0.2.1\n192.0.2.2", bind.Dig("a"));
        Is(ActivityOutcome.Succeeded, "as before", await Executor().CarryOut(Work(step, StepActivity.Compensate, attempt: 2, after: again),
            NoStop));
    }

    [Theory]
    [InlineData(DnsRecordKind.Cname, "www", "dr.example.test", "dr.example.test.")]
    [InlineData(DnsRecordKind.Txt, "note", "now \"there\" \\ é", "\"now \\\"there\\\" \\\\ \\195\\169\"")]
    [InlineData(DnsRecordKind.Aaaa, "six", "2001:db8::9", "2001:db8::9")]
    public async Task Every_type_is_written_and_put_back_byte_for_byte(DnsRecordKind type, string name, string to, string seen)
    {
        var word = type.ToString().ToUpperInvariant();
        var before = bind.Dig(name, word);
        var step = Change(name, [to], type: type);

        var done = await Executor().CarryOut(Work(step), NoStop);
        Is(ActivityOutcome.Succeeded, " now; it said ", done);
        Assert.Equal(seen, bind.Dig(name, word));
        Is(ActivityOutcome.Succeeded, " again", await Executor().CarryOut(
            Work(step, StepActivity.Compensate, attempt: 2, after: done), NoStop));
        Assert.Equal(before, bind.Dig(name, word));
    }

    [Fact]
    public async Task What_somebody_else_changed_is_left_alone()
    {
        bind.Update("update add b.example.test 5 A 192.0.2.1");
        var step = Change("b", ["192.0.2.9"], from: ["192.0.2.7"]);
        Is(ActivityOutcome.Failed, "b.example.test says 192.0.2.1, and not 192.0.2.7 as the step expects", await Executor()
            .CarryOut(Work(step), NoStop));
        Is(ActivityOutcome.Failed, "and not 192.0.2.7", await Executor().CarryOut(Work(step, StepActivity.Simulate), NoStop));
        Assert.Equal("192.0.2.1", bind.Dig("b"));

        step = Change("b", ["192.0.2.9"], from: ["192.0.2.1"]);
        var done = await Executor().CarryOut(Work(step), NoStop);
        bind.Update("update delete b.example.test A", "update add b.example.test 5 A 192.0.2.50");
        Is(ActivityOutcome.Failed, "b.example.test says 192.0.2.50, which this execution did not write", await Executor()
            .CarryOut(Work(step, StepActivity.Compensate, attempt: 2, after: done), NoStop));
        Assert.Equal("192.0.2.50", bind.Dig("b"));

        // Between the look and the change: the server itself compares.
        var server = new NameServer(step.Dns!, Convert.FromBase64String(bind.Key), TimeProvider.System);
        var stale = RecordValues.Of(DnsRecordKind.A, ["192.0.2.1"], default);
        var wanted = RecordValues.Of(DnsRecordKind.A, ["192.0.2.9"], default);
        var e = await Assert.ThrowsAsync<NameServerException>(() => server.Exchange(DnsRecordKind.A, stale, wanted, NoStop));
        Assert.Equal((DnsCode.NxRrset, false), (e.Code, e.MayBeDone));
        e = await Assert.ThrowsAsync<NameServerException>(() => server.Exchange(DnsRecordKind.A, new RecordValues([], 0), wanted, NoStop));
        Assert.Equal((DnsCode.YxRrset, false), (e.Code, e.MayBeDone));
        Assert.Equal("192.0.2.50", bind.Dig("b"));
    }

    [Fact]
    public async Task A_server_that_refuses_is_named_with_what_to_do()
    {
        bind.Update("update add c.example.test 5 A 192.0.2.1");
        async Task Refused(string text, StepSpec step, TimeSpan? clock = null)
        {
            Is(ActivityOutcome.Failed, text, await Executor(clock).CarryOut(Work(step), NoStop));
            Assert.Equal("192.0.2.1", bind.Dig("c"));
        }
        await Refused("refuses it (REFUSED): let it take updates of the zone example.test signed with the key 'other'",
            Change("c", ["192.0.2.9"], key: "other", secret: "other-key"));
        await Refused("holds another key under the name 'ddns' (BADSIG)", Change("c", ["192.0.2.9"], secret: "other-key"));
        await Refused("knows no key 'nobody' (BADKEY)", Change("c", ["192.0.2.9"], key: "nobody"));
        await Refused("seconds behind this node's, and 300 are allowed (BADTIME)", Change("c", ["192.0.2.9"]), TimeSpan.FromHours(1));
        await Refused("seconds ahead of this node's, and 300 are allowed (BADTIME)", Change("c", ["192.0.2.9"]), -TimeSpan.FromHours(1));
        await Refused("There is no stored secret 'gone'", Change("c", ["192.0.2.9"], secret: "gone"));
        _bench.Secrets["broken"] = "no base64!";
        await Refused("'broken' is no key", Change("c", ["192.0.2.9"], secret: "broken"));
        Is(ActivityOutcome.Failed, "is another name of app.example.test (CNAME)", await Executor().CarryOut(Work(Change("www",
            ["192.0.2.9"])), NoStop));
    }

    [Fact]
    public async Task An_update_that_nobody_signed_is_refused_by_the_server()
    {
        var name = DnsName.Parse("app.example.test");
        var message = new DnsMessage
        {
            Id = 7,
            Flags = DnsMessage.Update,
            Questions = [new(DnsName.Parse(BindServer.Zone), DnsType.Soa, DnsClass.In)],
            Authorities = [new(name, DnsType.A, DnsClass.In, 5, [192, 0, 2, 9])],
        };
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, bind.Port);
        var bytes = DnsWriter.Write(message);
        await client.GetStream().WriteAsync((byte[])[(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes]);
        var answer = new byte[1024];
        var read = await client.GetStream().ReadAtLeastAsync(answer, 14);

        Assert.Equal(DnsCode.Refused, DnsReader.Read(answer[2..read]).Code);
        Assert.Equal("127.0.0.1", bind.Dig("app"));
    }

    [Fact]
    public async Task A_server_that_is_away_or_goes_away_in_the_middle_is_told_apart()
    {
        bind.Update("update add d.example.test 5 A 192.0.2.1");
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var port = ((IPEndPoint)silent.LocalEndpoint).Port;
        Is(ActivityOutcome.Failed, "did not answer within", await Executor().CarryOut(Work(Change("d", ["192.0.2.9"],
            server: $"127.0.0.1:{port}"), patience: TimeSpan.Zero), NoStop));
        silent.Stop();
        Is(ActivityOutcome.Failed, "refused", await Executor().CarryOut(Work(Change("d", ["192.0.2.9"], server: $"127.0.0.1:{port}")),
            NoStop));

        // The answer to the change itself is lost: looking shows that it was done.
        await using var deaf = new DeafProxy(bind.Port, 2);
        var done = await Executor().CarryOut(Work(Change("d", ["192.0.2.9"], server: deaf.Address)), NoStop);
        Is(ActivityOutcome.Succeeded, "says 192.0.2.9 now; it said 192.0.2.1", done);
        Assert.Equal((3, "192.0.2.9"), (deaf.Seen, bind.Dig("d")));
    }

    [Fact]
    public async Task A_rehearsal_changes_its_own_record_and_cleans_it_up()
    {
        bind.Update("update add e.example.test 5 A 192.0.2.1");
        var without = Change("e", ["192.0.2.9"]);
        Is(ActivityOutcome.Succeeded, "Not changed: e.example.test says 192.0.2.1", await Executor().CarryOut(
            Work(without, mode: ExecutionMode.Rehearsal), NoStop));
        Is(ActivityOutcome.Succeeded, "Nothing was changed", await Executor().CarryOut(
            Work(without, StepActivity.CleanUp, ExecutionMode.Rehearsal, 2), NoStop));
        var step = Change("e", ["192.0.2.9"], from: ["192.0.2.1"], rehearsal: without.Dns! with { Record = "e.sandbox.example.test" });

        var done = await Executor().CarryOut(Work(step, mode: ExecutionMode.Rehearsal), NoStop);
        Is(ActivityOutcome.Succeeded, "e.sandbox.example.test says 192.0.2.9 now; it said no record", done);
        Assert.Equal(("192.0.2.1", "192.0.2.9"), (bind.Dig("e"), bind.Dig("e.sandbox")));
        Is(ActivityOutcome.Succeeded, "e.sandbox.example.test says no record again", await Executor().CarryOut(
            Work(step, StepActivity.CleanUp, ExecutionMode.Rehearsal, 2, done), NoStop));
        Assert.Equal(("192.0.2.1", ""), (bind.Dig("e"), bind.Dig("e.sandbox")));
    }

    [Fact]
    public async Task What_stands_in_the_way_is_seen_before()
    {
        Assert.Empty(await Executor().Evaluate(Work(Change("app", ["192.0.2.9"]), StepActivity.Simulate), NoStop));
        async Task Sees(string place, string text, StepSpec step)
        {
            var problem = Assert.Single(await Executor().Evaluate(Work(step, StepActivity.Simulate), NoStop));
            Assert.Equal($"steps.step.dns.{place}", problem.Place);
            Assert.Contains(text, problem.Problem, StringComparison.Ordinal);
        }
        await Sees("keySecret", "There is no stored secret 'gone'", Change("app", ["192.0.2.9"], secret: "gone"));
        await Sees("server", "BADSIG", Change("app", ["192.0.2.9"], secret: "other-key"));
        var elsewhere = Change("app", ["192.0.2.9"]);
        await Sees("server", "REFUSED", elsewhere with { Dns = elsewhere.Dns! with { Zone = "example.org", Record = "shop.example.org" } });
    }
}

/// <summary>Passes connections to a port of loopback, and keeps the answer of one of them to itself.</summary>
sealed class DeafProxy : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Task _run;

    public DeafProxy(int port, int deaf)
    {
        _listener.Start();
        _run = Run(port, deaf);
    }

    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Connections so far.</summary>
    public int Seen { get; private set; }

    async Task Run(int port, int deaf)
    {
        try
        {
            while (true)
            {
                using var from = await _listener.AcceptTcpClientAsync(_stop.Token);
                using var to = new TcpClient();
                await to.ConnectAsync(IPAddress.Loopback, port, _stop.Token);
                Seen++;
                var buffer = new byte[64 * 1024];
                var asked = await from.GetStream().ReadAsync(buffer, _stop.Token);
                await to.GetStream().WriteAsync(buffer.AsMemory(0, asked), _stop.Token);
                var answered = await to.GetStream().ReadAtLeastAsync(buffer, 3, throwOnEndOfStream: false, _stop.Token);
                if (Seen != deaf) await from.GetStream().WriteAsync(buffer.AsMemory(0, answered), _stop.Token);
            }
        }
        catch (OperationCanceledException) { return; }   // the test is over
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _listener.Dispose();
        _stop.Dispose();
    }
}
