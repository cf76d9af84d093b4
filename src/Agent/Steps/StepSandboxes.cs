using BackupDr.Contracts.Agents;

namespace BackupDr.Agent.Steps;

/// <summary>The sandboxes of the rehearsals that this host takes part in: one for each, shared by its steps, so that what one of them
/// starts is there for the next.</summary>
/// <param name="clock">The time.</param>
sealed class StepSandboxes(TimeProvider clock) : IAsyncDisposable
{
    /// <summary>How long one is kept that nobody uses or ends: whoever rehearsed is gone.</summary>
    static readonly TimeSpan LongestIdle = TimeSpan.FromDays(1);

    readonly Dictionary<string, StepSandbox> _all = new(StringComparer.Ordinal);
    readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Runs a program in its sandbox, and tells what it tried to reach outside.</summary>
    /// <param name="wanted">Sandbox and program.</param>
    /// <param name="execute">Runs it with these words before its own.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<HostStepReport> Run(HostSandbox wanted, Func<HostScript, IReadOnlyList<string>, Task<HostStepReport>> execute,
        CancellationToken ct)
    {
        try { return wanted.Script is { } script ? await Run(wanted, script, execute, ct) : Done("There is nothing to run."); }
        finally
        {
            if (wanted.Ends) await End(wanted);
        }
    }

    async Task<HostStepReport> Run(HostSandbox wanted, HostScript script,
        Func<HostScript, IReadOnlyList<string>, Task<HostStepReport>> execute, CancellationToken ct)
    {
        StepSandbox sandbox;
        try { sandbox = await Get(wanted, ct); }
        catch (StepRefusedException e) when (wanted.LooksInstead)
        {
            return Done($"Looked only: {script.Name} may be run here. {e.Message}");
        }
        var report = await execute(script, sandbox.Words);
        var tried = sandbox.Tried();
        if (tried.Count == 0) return report;
        var all = string.Join(", ", tried);
        return report with
        {
            Text = $"{report.Text} The rehearsal's sandbox did not let it reach {all}.",
            Facts = new Dictionary<string, string>(report.Facts) { ["blocked"] = all },
        };
    }

    static HostStepReport Done(string text) => new() { State = HostStepState.Done, Text = text };

    async Task<StepSandbox> Get(HostSandbox wanted, CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            var now = clock.GetUtcNow();
            foreach (var (name, left) in _all.Where(one => now - one.Value.UsedAt > LongestIdle).ToList())
            {
                _all.Remove(name);
                await left.DisposeAsync();
            }
            if (!_all.TryGetValue(wanted.Name, out var sandbox)) _all[wanted.Name] = sandbox = await StepSandbox.Start(ct);
            sandbox.UsedAt = now;
            sandbox.Users.Add(wanted.Step);
            sandbox.Reach(wanted.Reaches ?? []);
            return sandbox;
        }
        finally { _gate.Release(); }
    }

    async Task End(HostSandbox wanted)
    {
        await _gate.WaitAsync(CancellationToken.None);
        try
        {
            if (!_all.TryGetValue(wanted.Name, out var sandbox)) return;
            sandbox.Users.Remove(wanted.Step);
            if (sandbox.Users.Count > 0) return;
            _all.Remove(wanted.Name);
            await sandbox.DisposeAsync();
        }
        finally { _gate.Release(); }
    }

    /// <summary>Ends all of them.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var sandbox in _all.Values) await sandbox.DisposeAsync();
        _all.Clear();
        _gate.Dispose();
    }
}
