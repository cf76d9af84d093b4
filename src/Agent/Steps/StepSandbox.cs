using System.Net;
using System.Net.Sockets;
using BackupDr.Sources;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Steps;

/// <summary>Where the programs of a rehearsal work: a network of its own in which every address is the sandbox itself, none of the host's
/// sockets below /run, and none of its processes. Files are the host's.</summary>
/// <remarks>Namespaces of the kernel that end with their first process: that one reads a pipe of ours, and the kernel kills whatever
/// else is left in there, also where this agent is killed. As every address is local, what a program calls outside is refused at
/// once, and seen (<see cref="SandboxWatch"/>).</remarks>
sealed class StepSandbox : IAsyncDisposable
{
    const string Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", Ready = "ready";
    const string Script = "mount -n -t tmpfs -o size=1m,mode=755 none /run && ip link set lo up && ip route add local default dev lo "
        + "&& { ip -6 route add local default dev lo 2>/dev/null; echo " + Ready + "; } && exec cat";
    static readonly TimeSpan StartWithin = TimeSpan.FromMinutes(1), LookEvery = TimeSpan.FromMilliseconds(10);

    readonly ToolProcess _keeper;
    readonly SandboxWatch _watch;
    readonly Dictionary<IPEndPoint, SandboxRelay> _relays = [];

    StepSandbox(ToolProcess keeper) => (_keeper, _watch) = (keeper, new SandboxWatch(keeper.Id));

    /// <summary>The words to put before a program's.</summary>
    public IReadOnlyList<string> Words => ["/usr/bin/nsenter", $"--net=/proc/{_keeper.Id}/ns/net", $"--mount=/proc/{_keeper.Id}/ns/mnt",
        $"--ipc=/proc/{_keeper.Id}/ns/ipc", $"--pid=/proc/{_keeper.Id}/ns/pid_for_children", "--"];

    /// <summary>Steps that use it and did not end their use.</summary>
    public HashSet<string> Users { get; } = new(StringComparer.Ordinal);

    /// <summary>When a step began to use it last.</summary>
    public DateTimeOffset UsedAt { get; set; }

    /// <summary>Makes one.</summary>
    /// <exception cref="StepRefusedException">step.cannot_isolate: this host cannot.</exception>
    public static async Task<StepSandbox> Start(CancellationToken ct)
    {
        ToolProcess? keeper = null;
        try
        {
            keeper = ToolProcess.Start("/usr/bin/unshare", ["--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc",
                "--propagation", "private", "--", "/bin/sh", "-c", Script], environment: new Dictionary<string, string> { ["PATH"] = Path },
                isBare: true, pipes: ToolPipes.Input);
            using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
            late.CancelAfter(StartWithin);
            while (!keeper.Lines.Contains(Ready))
            {
                if (keeper.HasEnded) throw Cannot(keeper.LastLine);
                await Task.Delay(LookEvery, TimeProvider.System, late.Token);
            }
            return new StepSandbox(keeper);
        }
        catch (Exception e)
        {
            if (keeper is not null) await keeper.DisposeAsync();
            if (e is OperationCanceledException && !ct.IsCancellationRequested) throw Cannot("it took too long");
            if (e is SourceException or PosixException or SocketException) throw Cannot(e.Message);
            throw;
        }
    }

    static StepRefusedException Cannot(string why) => new("step.cannot_isolate", $"This host cannot isolate: {why}. A rehearsal must not "
        + "reach production, so nothing was run.", "The agent needs root, util-linux and iproute2; or say withoutSandbox: Simulate.");

    /// <summary>Lets its programs reach addresses outside, from now on.</summary>
    /// <exception cref="StepRefusedException">step.cannot_isolate: something of the sandbox listens there itself.</exception>
    public void Reach(IEnumerable<string> ends)
    {
        foreach (var end in ends.Select(IPEndPoint.Parse).Where(end => !_relays.ContainsKey(end)))
        {
            try { _relays[end] = new SandboxRelay(_keeper.Id, end); }
            catch (Exception e) when (e is SocketException or PosixException) { throw Cannot($"{end}: {e.Message}"); }
            _watch.Allow(end);
        }
    }

    /// <summary>What programs tried to reach outside since the last time.</summary>
    public IReadOnlyList<string> Tried() => _watch.Take();

    /// <summary>Ends it, and whatever works in it still.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var relay in _relays.Values) await relay.DisposeAsync();
        _watch.Dispose();
        await _keeper.DisposeAsync();
    }
}
