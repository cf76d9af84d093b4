using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using BackupDr.Agent.Steps;
using BackupDr.Contracts.Agents;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>Programs of a rehearsal work where production cannot be reached, while production listens on the same host.</summary>
public sealed class SandboxTests : IAsyncDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly StepRunner _runner;
    readonly TcpListener _production = new(Address(), 0);
    int _calls, _steps;

    public SandboxTests()
    {
        Mount.NeedRoot();   // what runbooks may do is in root's files
        Tool.Succeed("chmod", "755", _scratch.Folder("steps.d"));
        _runner = new StepRunner(new StepJournal(_scratch.At("steps"), TimeProvider.System), new AllowedSteps(_scratch.At("steps.d")),
            TimeProvider.System);
        _production.Start();
        _ = Count();
    }

    string Production => _production.LocalEndpoint.ToString()!;

    /// <summary>Of this machine's network, if it has one: other tests' cables come and go.</summary>
    static IPAddress Address() => NetworkInterface.GetAllNetworkInterfaces().Where(one => one.OperationalStatus == OperationalStatus.Up
            && one.NetworkInterfaceType != NetworkInterfaceType.Loopback && !one.Name.StartsWith("bdr", StringComparison.Ordinal))
        .SelectMany(one => one.GetIPProperties().UnicastAddresses).Select(one => one.Address)
        .FirstOrDefault(one => one.AddressFamily == AddressFamily.InterNetwork) ?? IPAddress.Loopback;

    async Task Count()
    {
        try
        {
            while (true)
                using (await _production.AcceptTcpClientAsync()) Interlocked.Increment(ref _calls);
        }
        catch (SocketException) { return; }   // the test is over
        catch (ObjectDisposedException) { return; }
    }

    HostScript Script(string text)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"step{++_steps}");
        var file = _scratch.File($"steps.d/{name}", $"#!/bin/bash\n{text}\n");
        Tool.Succeed("chmod", "755", file);
        return new HostScript(name, [], Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))));
    }

    Task<HostStepReport> Rehearse(HostScript? script, bool ends = false, string step = "app", params string[] reaches)
        => Answer(new HostStep
        {
            Key = Key(),
            Timeout = TimeSpan.FromMinutes(4),
            Sandbox = new HostSandbox("exe_1", step, script, reaches, Ends: ends),
        });

    string Key() => string.Create(CultureInfo.InvariantCulture, $"exe_1/{++_steps}");

    async Task<HostStepReport> Answer(HostStep step)
    {
        while (true)
            if (await _runner.Answer(step, CancellationToken.None) is { State: not HostStepState.Running } report) return report;
    }

    // The shell's own words for a TCP connection; a name is asked for as every program does.
    static string Call(string address) => $"exec 3<>/dev/tcp/{address.Replace(':', '/')}";

    [Fact]
    public async Task What_tries_production_is_blocked_and_told_and_reaches_it_in_earnest()
    {
        var script = Script($"({Call(Production)}) 2>&1; ({Call("10.99.1.5:5432")}) 2>&1; id -u");

        var rehearsed = await Rehearse(script);
        var before = Volatile.Read(ref _calls);
        var inEarnest = await Answer(new HostStep { Key = Key(), Timeout = TimeSpan.FromMinutes(4), Script = script });

        Assert.Equal((HostStepState.Done, 0), (rehearsed.State, before));
        var tried = Address().Equals(IPAddress.Loopback) ? "10.99.1.5:5432" : $"{Production}, 10.99.1.5:5432";
        Assert.Equal(tried, rehearsed.Facts["blocked"]);
        Assert.EndsWith($"The rehearsal's sandbox did not let it reach {tried}.", rehearsed.Text, StringComparison.Ordinal);
        Assert.Contains(rehearsed.Lines, line => line.Contains("Connection refused", StringComparison.Ordinal));
        Assert.Equal(HostStepState.Done, inEarnest.State);
        await Until(() => Volatile.Read(ref _calls) == 1);
    }

    [Fact]
    public async Task What_a_step_starts_is_there_for_the_next_and_gone_when_the_last_has_ended_its_use()
    {
        var marker = _scratch.At("marker");
        var start = Script($"python3 -m http.server 8099 --bind 127.0.0.1 --directory {_scratch.Folder("served")} "
            + $">/dev/null 2>&1 & echo $! ; until ({Call("127.0.0.1:8099")}) 2>/dev/null; do sleep 0.1; done");
        var look = Script($"{Call("127.0.0.1:8099")} && echo reached; ls /run | wc -l; hostname >{marker}");

        var started = await Rehearse(start);
        var looked = await Rehearse(look, step: "look");
        var ours = Tool.Run("pgrep", ["-f", _scratch.At("served")]).Output;
        Assert.True(looked.State == HostStepState.Done, looked.Text + string.Join('\n', looked.Lines));
        Assert.Equal(["reached", "0"], looked.Lines);
        Assert.DoesNotContain("blocked", looked.Facts.Keys);
        Assert.Equal(HostStepState.Done, started.State);
        Assert.NotEmpty(ours);
        Assert.True(File.Exists(marker));   // files are the host's

        Assert.Equal(HostStepState.Done, (await Rehearse(null, ends: true, step: "look")).State);
        Assert.NotEmpty(Tool.Run("pgrep", ["-f", _scratch.At("served")]).Output);
        Assert.Equal(HostStepState.Done, (await Rehearse(null, ends: true)).State);
        await Until(() => Tool.Run("pgrep", ["-f", _scratch.At("served")]).Output.Length == 0);
    }

    [Fact]
    public async Task An_address_that_the_rehearsal_names_is_reached_and_no_other()
    {
        using var bound = new TcpListener(IPAddress.Loopback, 0);
        bound.Start();
        var end = bound.LocalEndpoint.ToString()!;
        var answering = Task.Run(async () =>
        {
            using var client = await bound.AcceptTcpClientAsync();
            await client.GetStream().WriteAsync("of the rehearsal\n"u8.ToArray());
        });

        var report = await Rehearse(Script($"{Call(end)}; read -r line <&3; echo \"$line\"; "
            + $"({Call(Production)}) 2>/dev/null && exit 9; exit 0"), reaches: end);

        Assert.True(report.State == HostStepState.Done, report.Text);
        Assert.Equal(["of the rehearsal"], report.Lines);
        Assert.Equal(Address().Equals(IPAddress.Loopback) ? null : Production, report.Facts.GetValueOrDefault("blocked"));
        await answering;
        Assert.Equal(0, Volatile.Read(ref _calls));
    }

    [Fact]
    public async Task It_reaches_no_process_of_the_host_and_no_network_of_one()
    {
        // The last call is a name's: there is nobody to answer, and it is told.
        var report = await Rehearse(Script("nsenter --net=/proc/1/ns/net -- ip -o link | grep -c veth; ip -o link | wc -l; "
            + "getent hosts db.example.test >/dev/null; kill -0 " + Environment.ProcessId.ToString(CultureInfo.InvariantCulture)
            + " 2>/dev/null && exit 7; exit 0"));

        Assert.True(report.State == HostStepState.Done, report.Text);
        Assert.Equal(["0", "1"], report.Lines);
    }

    [Theory]
    [InlineData("04 6d 61 69 6c 07 65 78 61 6d 70 6c 65 00", "mail.example")]
    [InlineData("04 6d 61 0a 6c 00", "ma?l")]
    [InlineData("09 6d 61", null)]
    [InlineData("00", null)]
    [InlineData("c0 0c", null)]
    public void The_name_of_a_question_is_read_without_trusting_it(string name, string? expected)
        => Assert.Equal(expected, SandboxWatch.Name([.. new byte[12], .. name.Split(' ').Select(one => byte.Parse(one,
            NumberStyles.HexNumber, CultureInfo.InvariantCulture))]));

    static async Task Until(Func<bool> isSo)
    {
        for (var begun = Stopwatch.GetTimestamp(); !isSo(); await Task.Delay(20))
            Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(4), "it does not come about");
    }

    public async ValueTask DisposeAsync()
    {
        await _runner.DisposeAsync();
        _production.Dispose();
        _scratch.Dispose();
    }
}
