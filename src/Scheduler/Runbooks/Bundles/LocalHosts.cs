using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>The way to hosts where no node is there: this machine's own agent program, and for other hosts a person who carries an order
/// there and a signed report back.</summary>
/// <param name="program">The agent's program.</param>
/// <param name="options">Its options: state folder, folder of what is allowed.</param>
/// <param name="known">Hosts that the bundle names.</param>
/// <param name="desk">Where orders go out and reports come in.</param>
sealed class LocalHosts(string program, IReadOnlyList<string> options, IReadOnlyList<BundleHost> known, ReportDesk desk) : IHostReach
{
    readonly System.Collections.Concurrent.ConcurrentDictionary<string, Process> _running = new(StringComparer.Ordinal);

    /// <summary>Which host this machine is; null for none, or where that is not known.</summary>
    public BundleHost? Own { get; private set; }

    /// <summary>Why that is not known; null where it is.</summary>
    public string? Unknown { get; private set; }

    /// <summary>Says whether a result still counts.</summary>
    public Func<StepWork, bool> Counts { get; set; } = _ => true;

    /// <summary>Learns which host this machine is.</summary>
    public async Task Look(CancellationToken ct)
    {
        try
        {
            var answer = await Here(new LocalWork(), ct);
            Own = new BundleHost(answer.Host!.Value, answer.HostName!);
        }
        catch (BackupDrException e) { Unknown = e.Message; }   // told before it begins
    }

    /// <summary>Whether this machine is that host.</summary>
    public bool IsHere(BundleHost host) => Own?.Id == host.Id;

    /// <inheritdoc/>
    public Task<bool> IsWanted(StepWork work, CancellationToken ct) => Task.FromResult(Counts(work));

    /// <inheritdoc/>
    public async Task<HostStepReport> Ask(string host, HostStep step, CancellationToken ct)
    {
        var named = known.FirstOrDefault(one => string.Equals(one.Name, host, StringComparison.OrdinalIgnoreCase))
            ?? throw new NotFoundException($"A host named {host}", "It was none when the bundle was made. Do the step by hand.");
        if (step.Wish == HostStepWish.Cancel)
        {
            desk.Forget(step.Key);
            if (_running.TryGetValue(step.Key, out var running)) await Cancel(running);
            return new HostStepReport { State = HostStepState.Unknown, Text = "It was cancelled." };
        }
        if (IsHere(named))
            return (await Here(new LocalWork { Host = named.Id, Step = step }, ct)).Report
                ?? throw new UnavailableException("bundle.agent", "The agent's program told nothing of the step.", "Look at its output.");
        return step.Wish == HostStepWish.Look
            ? new HostStepReport { State = HostStepState.Done, Text = $"nobody looked at {named.Name}: it is another machine." }
            : await desk.Wait(new BundleOrder(named.Id, named.Name, step), ct);
    }

    static async Task Cancel(Process running)
    {
        try
        {
            await running.StandardInput.WriteLineAsync("cancel");
            await running.StandardInput.FlushAsync();
        }
        catch (Exception e) when (e is IOException or InvalidOperationException) { return; }   // it ended by itself
    }

    /// <summary>Lets the agent's program do something, and waits for its end. Where the waiting is given up it goes on.</summary>
    /// <exception cref="ConflictException">It refused; the code is the agent's.</exception>
    /// <exception cref="UnavailableException">It could not be started, or ended without a word.</exception>
    public async Task<LocalAnswer> Here(LocalWork work, CancellationToken ct)
    {
        using var process = Start();
        if (work.Step is { } step) _running[step.Key] = process;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(work, LocalJson.Default.LocalWork));
            await process.StandardInput.FlushAsync(CancellationToken.None);
            var line = await process.StandardOutput.ReadLineAsync(ct);
            var answer = line is null ? null : JsonSerializer.Deserialize(line, LocalJson.Default.LocalAnswer);
            if (answer is null)
                throw new UnavailableException("bundle.agent", $"{program} ended without an answer: {(await errors).Trim()}",
                    "Start this command as root, on a machine with the agent.");
            return answer.Refused is not { } why ? answer
                : throw new ConflictException(why.Code, $"{why.Message} {why.Hint}".TrimEnd());
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new UnavailableException("bundle.agent", $"{program} cannot be talked to: {e.Message}", "Use programs of one version.");
        }
        finally { if (work.Step is { } done) _running.TryRemove(done.Key, out _); }
    }

    Process Start()
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, ["local", .. options])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }) ?? throw new UnavailableException("bundle.agent", $"{program} does not start.", "Install it.");
        }
        catch (Win32Exception e)
        {
            throw new UnavailableException("bundle.agent", $"{program} does not start: {e.Message}", "Install the agent on this machine.");
        }
    }
}
