using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Storage.Posix;

namespace BackupDr.Cli.Up;

/// <summary>Brings everything up in order, proves a restore, and takes everything down in the reverse order.</summary>
static class UpRun
{
    static readonly TimeSpan NodePatience = TimeSpan.FromSeconds(90), PatienceForPorts = TimeSpan.FromSeconds(5),
        LookEvery = TimeSpan.FromMilliseconds(100);

    public static async Task<int> Execute(UpOptions options, CancellationToken ct)
    {
        var (output, clock) = (new Output(options.Json, quiet: false), TimeProvider.System);
        var data = DataFolder.Open(options.Data);
        using var held = FileLock.TryTake(FilePath.FromText(data.LockFile))
            ?? throw new ConflictException("up.running", $"BackupDr runs already with the data folder {data.Root}.",
                "Stop it with Ctrl-C where it runs, or give this one another --data and --port.");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => { context.Cancel = true; Stop(stop); });
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => { context.Cancel = true; Stop(stop); });
        var port = options.Port ?? data.LastPort();
        if (options.Protect.Count == 0 && !File.Exists(Path.Combine(data.Agent, "agent.json"))) throw new BadInputException("protect",
            "There is nothing to protect yet.", "Name a folder: backupdr up --protect /srv/data");
        try { return await WithDatabase(options, data, port, output, clock, stop.Token); }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            output.Note("Stopped.");
            return options.Once ? ExitCodes.Interrupted : ExitCodes.Done;
        }
    }

    static void Stop(CancellationTokenSource stop)
    {
        try { stop.Cancel(); }
        catch (ObjectDisposedException) { return; }   // a second signal while the program ends: there is nothing left to stop
    }

    /// <summary>Looks for some seconds: of a service that was ended a moment ago a socket may still be open.</summary>
    static async Task AwaitFree(int port, string what, string option, TimeProvider clock, CancellationToken ct)
    {
        for (var begun = clock.GetTimestamp(); !IsFree(port, what == "the agents" ? IPAddress.Any : IPAddress.Loopback);)
        {
            if (clock.GetElapsedTime(begun) > PatienceForPorts)
                throw new ConflictException("up.port", $"Port {port}, which {what} would use, is in use by another program.",
                    $"Stop that program, or choose another port with {option}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), clock, ct);
        }
    }

    static bool IsFree(int port, IPAddress address)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ExclusiveAddressUse = false };
        probe.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        try
        {
            probe.Bind(new IPEndPoint(address, port));
            probe.Listen(1);
            return true;
        }
        catch (SocketException) { return false; }   // somebody has it
    }

    static async Task<int> WithDatabase(UpOptions options, DataFolder data, int port, Output output, TimeProvider clock,
        CancellationToken ct)
    {
        await AwaitFree(port, "the console", "--port", clock, ct);
        await AwaitFree(port + 1, "the agents", "--port", clock, ct);
        var postgres = await PrivatePostgres.Start(data, output.Note, ct);
        try
        {
            using var key = DataFolder.SecretIn(data.ApiKeyFile);
            data.WriteSettings(postgres.ConnectionString, port);
            await using var node = Child.Start("node", File.Exists(Path.Combine(AppContext.BaseDirectory, "BackupDr.Web")) ? "BackupDr.Web"
                : "BackupDr.Scheduler", ["--settings", data.SettingsFile, "--stdin-lifetime"], data.Logs, clock);
            using var api = new ApiClient(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")), key);
            await AwaitNode(api, node, data, clock, ct);
            return await WithNode(options, data, port, api, output, clock, ct);
        }
        finally { await postgres.Stop(CancellationToken.None); }
    }

    static async Task AwaitNode(ApiClient api, Child node, DataFolder data, TimeProvider clock, CancellationToken ct)
    {
        var begun = clock.GetTimestamp();
        while (!await api.IsReady(ct))
        {
            if (clock.GetElapsedTime(begun) > NodePatience || (!node.IsRunning && clock.GetElapsedTime(begun) > TimeSpan.FromSeconds(2)))
                throw new UnavailableException("up.node", $"The node does not start: {node.LastWords()}",
                    $"Its log is {Path.Combine(data.Logs, "node.log")}.");
            await Task.Delay(LookEvery, clock, ct);
        }
    }

    static async Task<int> WithNode(UpOptions options, DataFolder data, int port, ApiClient api, Output output, TimeProvider clock,
        CancellationToken ct)
    {
        var oneTimePassword = await MakeAdministrator(data, api, ct);
        await Join(data, port, api, ct);
        await using var agent = Child.Start("agent", "backupdr-agent", ["run", "--state", data.Agent, "--stdin-lifetime"], data.Logs,
            clock);
        var proof = new FirstProof(api, data, output, clock);
        var host = await proof.AwaitHost(() => agent.IsRunning, agent.LastWords, ct);
        var outcomes = new List<UpOutcome>();
        foreach (var path in options.Protect) outcomes.Add(await proof.Protect(host, path, ct));
        if (outcomes.Count > 0) DataFolder.WritePrivate(data.RepositoryPasswordFile, outcomes[^1].Repository.Password + "\n");
        var evidence = outcomes.Count == 0 ? null
            : await EvidenceExport.Write(api, new ExportEvidenceRequest(), data.EvidenceFile, ct);
        var console = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
        UpScreen.Show(output, data, outcomes, evidence, console, oneTimePassword);
        File.Delete(data.OneTimePasswordFile);
        if (!options.Once)
        {
            if (options.OpenBrowser && !options.Json) Browser.Open(console);
            output.Note("Running. Ctrl-C stops everything.");
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, ct);
        }
        if (evidence is { Holds: false }) return ExitCodes.Altered;
        return outcomes.Any(outcome => outcome.Proof.Result == ProofResult.Failed) ? ExitCodes.Failed
            : outcomes.Any(outcome => outcome.Backup.State == RunState.Incomplete) ? ExitCodes.Incomplete : ExitCodes.Done;
    }

    /// <summary>
    /// Makes the administrator; gives the one-time password until a screen has shown it, also after a start that was killed or failed.
    /// </summary>
    static async Task<string?> MakeAdministrator(DataFolder data, ApiClient api, CancellationToken ct)
    {
        var isKept = File.Exists(data.OneTimePasswordFile);
        using var password = DataFolder.SecretIn(data.OneTimePasswordFile);
        var made = await api.CreateUser(new CreateUserRequest("admin", password.Reveal()), ct);
        if (made.OneTimePassword is not null || isKept) return password.Reveal();
        File.Delete(data.OneTimePasswordFile);   // there is an administrator who knows a password already
        return null;
    }

    static async Task Join(DataFolder data, int port, ApiClient api, CancellationToken ct)
    {
        if (File.Exists(Path.Combine(data.Agent, "agent.json"))) return;
        var url = string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{port + 1}");
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest(url), ct);
        var joined = await Tool.Run(Sibling.PathOf("backupdr-agent"), ["join", url, "--state", data.Agent, "--mover"],
            new Dictionary<string, string> { ["BACKUPDR_JOIN_TOKEN"] = token.Token }, ct);
        if (joined.ExitCode == 0) return;
        var (reason, advice) = joined.Failure;
        throw new UnavailableException("up.join", $"The agent of this machine could not join: {reason}",
            advice ?? $"The node's log is in {data.Logs}.");
    }
}

/// <summary>Opens a page for the person at this machine, where there is a desktop.</summary>
static class Browser
{
    public static void Open(string url)
    {
        const string opener = "/usr/bin/xdg-open";
        if (!File.Exists(opener) || (Environment.GetEnvironmentVariable("DISPLAY")
            ?? Environment.GetEnvironmentVariable("WAYLAND_DISPLAY")) is null) return;
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(opener,
            [url])
        { RedirectStandardOutput = true, RedirectStandardError = true });
    }
}
