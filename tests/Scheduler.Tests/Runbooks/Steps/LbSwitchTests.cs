using System.Net;
using System.Net.Sockets;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.TestKit.Servers;
using static BackupDr.Scheduler.Tests.Runbooks.Steps.StepBench;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>Traffic of a real HAProxy goes elsewhere, and back.</summary>
public sealed class LbSwitchTests : IAsyncLifetime
{
    readonly StepBench _bench = new();
    readonly HaproxyServer _haproxy = new();
    readonly Named _one = new("one"), _two = new("two");

    /// <summary>Says its name to whoever connects.</summary>
    sealed class Named : IAsyncDisposable
    {
        readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        readonly CancellationTokenSource _stop = new();
        readonly Task _run;

        public Named(string name)
        {
            _listener.Start();
            _run = Run(name);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        async Task Run(string name)
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                    await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(name), _stop.Token);
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

    public async ValueTask InitializeAsync() => await _haproxy.Start(_one.Port, _two.Port);

    public async ValueTask DisposeAsync()
    {
        await _haproxy.DisposeAsync();
        await _one.DisposeAsync();
        await _two.DisposeAsync();
    }

    LbSwitch Executor() => new(_bench);

    static LbServer Server(string name, LbState? state = null, int? weight = null) => new() { Name = name, State = state, Weight = weight };

    StepSpec Switch(string? address = null, LbTarget? rehearsal = null, params LbServer[] servers)
        => Step(StepKind.LbSwitch, step => step with
        {
            Lb = new LbSpec
            {
                Address = address ?? _haproxy.Api,
                Servers = servers.Length > 0 ? servers : [Server("be/s2", LbState.Ready, 50), Server("be/s1", LbState.Drain)],
                Rehearsal = rehearsal,
            },
        });

    async Task<string> Ask()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _haproxy.Front);
        using var reader = new StreamReader(client.GetStream());
        return await reader.ReadToEndAsync();
    }

    async Task<string> State(string server) => (await new HaproxyApi(_haproxy.Socket).Servers(server.Split('/')[0], NoStop))[server].Text;

    [Fact]
    public async Task Traffic_is_switched_once_and_put_back_also_by_somebody_who_takes_over()
    {
        var step = Switch();
        Assert.Equal("one", await Ask());
        Is(ActivityOutcome.Succeeded, "Not switched: be/s2 maint 100, be/s1 ready 100; it would be be/s2 ready 50, be/s1 drain 100",
            await Executor().CarryOut(Work(step, StepActivity.Simulate), NoStop));
        Assert.Equal("one", await Ask());

        var done = await Executor().CarryOut(Work(step), NoStop);
        Is(ActivityOutcome.Succeeded, "Switched: be/s2 ready 50, be/s1 drain 100.", done);
        Assert.Equal(["two", "two"], [await Ask(), await Ask()]);
        var again = await Executor().CarryOut(Work(step), NoStop);
        Is(ActivityOutcome.Succeeded, "It was so already", again);
        Assert.Equal(done.Outputs, again.Outputs);
        Assert.Equal(("maint 100", "ready 100"), (again.Outputs!["old be/s2"], again.Outputs["old be/s1"]));

        // The report was lost: the notes tell what was before. Over the socket as over the port.
        var back = Work(Switch(_haproxy.Socket), StepActivity.Compensate, attempt: 2);
        Is(ActivityOutcome.Succeeded, "Put back: be/s2 maint 100, be/s1 ready 100", await Executor().CarryOut(back, NoStop));
        Assert.Equal("one", await Ask());
        Is(ActivityOutcome.Succeeded, "Put back", await Executor().CarryOut(back, NoStop));
    }

    [Fact]
    public async Task What_somebody_else_set_since_is_left_alone_and_said()
    {
        var step = Switch();
        var done = await Executor().CarryOut(Work(step), NoStop);
        await new HaproxyApi(_haproxy.Api).Set("be/s1", LbState.Maint, null, NoStop);

        Is(ActivityOutcome.Failed, "be/s1 is maint 100 and was ready 100", await Executor().CarryOut(
            Work(step, StepActivity.Compensate, attempt: 2, after: done), NoStop));
        Assert.Equal(("maint 100", "maint 100"), (await State("be/s1"), await State("be/s2")));
    }

    [Fact]
    public async Task A_balancer_that_does_not_do_it_is_named()
    {
        async Task Fails(string text, StepSpec step)
        {
            Is(ActivityOutcome.Failed, text, await Executor().CarryOut(Work(step), NoStop));
            Assert.Contains(text, Assert.Single(await Executor().Evaluate(Work(step, StepActivity.Simulate), NoStop)).Problem,
                StringComparison.Ordinal);
        }
        await Fails("Can't find backend", Switch(servers: Server("nobody/s1", LbState.Ready)));
        await Fails("has no server 'be/s9'; in be there are s1, s2".Replace("s1, s2", "be/s1, be/s2", StringComparison.Ordinal),
            Switch(servers: Server("be/s9", LbState.Ready)));
        await Fails("refused", Switch(address: "127.0.0.1:1"));
        await Fails("there is no such socket", Switch(address: "unix:/nonexistent/api"));
        await Fails($"127.0.0.1:{_haproxy.Front}: ", Switch(address: $"127.0.0.1:{_haproxy.Front}"));
        Is(ActivityOutcome.Failed, "is no server of a balancer", await Executor().CarryOut(
            Work(Switch(servers: Server("be/s1; disable server be/s2", LbState.Ready))), NoStop));
        Assert.Empty(await Executor().Evaluate(Work(Switch(), StepActivity.Simulate), NoStop));
    }

    [Fact]
    public async Task A_rehearsal_switches_its_own_backend_and_cleans_it_up()
    {
        var rehearsal = new LbTarget { Address = _haproxy.Api, Servers = [Server("sandbox/s1", LbState.Ready)] };
        Is(ActivityOutcome.Succeeded, "Not switched", await Executor().CarryOut(Work(Switch(), mode: ExecutionMode.Rehearsal), NoStop));
        var step = Switch(rehearsal: rehearsal);

        var done = await Executor().CarryOut(Work(step, mode: ExecutionMode.Rehearsal), NoStop);
        Is(ActivityOutcome.Succeeded, "Switched: sandbox/s1 ready", done);
        Assert.Equal(("ready 100", "maint 100"), (await State("be/s1"), await State("be/s2")));
        Is(ActivityOutcome.Succeeded, "Put back: sandbox/s1 maint", await Executor().CarryOut(
            Work(step, StepActivity.CleanUp, ExecutionMode.Rehearsal, 2, done), NoStop));
        Assert.StartsWith("maint", await State("sandbox/s1"), StringComparison.Ordinal);
    }
}
