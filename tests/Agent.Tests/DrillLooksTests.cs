using System.Net;
using System.Net.Sockets;
using BackupDr.Agent.Hooks;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Sources;
using BackupDr.Sources.Tools;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>A program of the host looks at a restored copy, and reaches nothing else.</summary>
public sealed class DrillLooksTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly RunReporter _reporter = new(TimeProvider.System);
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public DrillLooksTests()
    {
        Mount.NeedRoot();   // the programs are root's files
        Tool.Succeed("chmod", "755", _scratch.Path);
        Tool.Succeed("chmod", "755", _scratch.Folder("hooks.d"));
        Tool.Succeed("chmod", "700", _scratch.Folder("private/copy/srv"));   // as the agent's own folder
        Tool.Succeed("chmod", "700", _scratch.At("private"));
        Tool.Succeed("chmod", "600", _scratch.File("private/copy/srv/orders", "first\n"));
    }

    public void Dispose() => _scratch.Dispose();

    async Task<ProofCheck> Look(string script, TimeSpan? limit = null)
    {
        _scratch.File("hooks.d/look", $"#!/bin/bash\n{script}\n");
        Tool.Succeed("chmod", "755", _scratch.At("hooks.d/look"));
        var looks = DrillLooks.Of(new DrillJob { SnapshotId = new string('a', 64), Script = "look", ScriptLimit = limit },
            new HookFolder(_scratch.At("hooks.d")), RunId.New(TimeProvider.System), _reporter);
        return await looks.Script!(new Dictionary<string, string> { [Isolation.Copy] = _scratch.At("private/copy") }, null, _ct);
    }

    [Fact]
    public async Task It_sees_the_copy_as_nobody_who_may_touch_nothing_else()
    {
        var found = await Look("cat $BACKUPDR_COPY/srv/orders; touch $BACKUPDR_COPY/srv/new "
            + $"&& ! touch {_scratch.At("outside")} 2>/dev/null && ! ls {_scratch.At("private")} 2>/dev/null && id -un");

        Assert.True(found.Passed, found.Detail);
        Assert.Equal(("program look", "nobody"), (found.Name, found.Detail));
        Assert.Contains("look: first", _reporter.Take([]).Events.Select(line => line.Text));
        Assert.True(File.Exists(_scratch.At("private/copy/srv/new")));
    }

    [Fact]
    public async Task It_reaches_no_network_and_no_socket_of_the_host()
    {
        using var production = new TcpListener(IPAddress.Loopback, 0);
        production.Start();
        var port = ((IPEndPoint)production.LocalEndpoint).Port;

        var found = await Look($"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && exit 8; ls /run; echo over");

        Assert.True(found.Passed, found.Detail);
        Assert.Equal(["look: copy", "look: over"], _reporter.Take([]).Events.Select(line => line.Text));
        Assert.False(production.Pending());
    }

    [Theory]
    [InlineData("echo the newest order is of yesterday; exit 3", null, "It ended with 3: the newest order is of yesterday")]
    [InlineData("sleep 600", 1.0, "It did not end within 00:00:01 and was stopped.")]
    public async Task One_that_fails_or_does_not_end_proves_nothing(string script, double? seconds, string expected)
    {
        var found = await Look(script, seconds is { } limit ? TimeSpan.FromSeconds(limit) : null);

        Assert.Equal((false, expected), (found.Passed, found.Detail));
    }

    [Fact]
    public async Task One_that_is_not_there_is_told()
    {
        var looks = DrillLooks.Of(new DrillJob { SnapshotId = new string('a', 64), Script = "absent" },
            new HookFolder(_scratch.At("hooks.d")), RunId.New(TimeProvider.System), _reporter);

        var found = await looks.Script!(new Dictionary<string, string> { [Isolation.Copy] = _scratch.At("private/copy") }, null, _ct);

        Assert.False(found.Passed);
        Assert.Contains("cannot be run", found.Detail, StringComparison.Ordinal);
    }
}
