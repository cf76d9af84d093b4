using System.Reflection;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Cluster;

/// <summary>Says every two seconds that this node lives, and learns whether it is to drain and where the others are.</summary>
sealed partial class NodeBeat(Postgres db, NodeStanding standing, ConnectionTurnover turnover, SealedSecrets secrets, NodeSettings settings,
    Listeners listeners, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<NodeBeat> log) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(2), CleanEvery = TimeSpan.FromMinutes(1), Farewell = TimeSpan.FromSeconds(2);

    /// <summary>The program's version.</summary>
    internal static string Version { get; } = typeof(NodeBeat).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    long _cleaned;
    string? _keyProblem;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!await Started(stoppingToken)) return;
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            do
            {
                try { await Beat(stoppingToken); }
                catch (Exception e) when (Outage.Is(e)) { continue; }   // the loops say it; the next beat comes anyway
                // A bug in what is only told must not end the node, nor what a driver cancels by itself.
                catch (Exception e) when (!stoppingToken.IsCancellationRequested) { LogBroken(log, e); }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        // A host that is disposed of without being stopped takes the parts away while the last beat is under way.
        catch (Exception e) when (stoppingToken.IsCancellationRequested && e is OperationCanceledException or ObjectDisposedException)
        {
            return;
        }
    }

    /// <summary>Waits until the listeners are bound: their ports may be any free ones.</summary>
    async Task<bool> Started(CancellationToken ct)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var ready = lifetime.ApplicationStarted.Register(started.SetResult);
        await using var stopped = ct.Register(() => started.TrySetCanceled(ct));
        await started.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return started.Task.IsCompletedSuccessfully;
    }

    async Task Beat(CancellationToken ct)
    {
        await LearnKeys(ct);
        var toDrain = await NodeTable.Beat(db, standing, secrets, clock.GetUtcNow(), ct);
        if (toDrain is null)
        {
            await db.InTransaction(tx => NodeTable.Enter(tx, standing.Instance, Face(), ct), ct);
            toDrain = false;
        }
        if (toDrain.Value != standing.IsDraining) LogDrain(log, toDrain.Value ? "drains: it takes no new work" : "takes work again");
        standing.Drain(toDrain.Value);
        var nodes = await NodeTable.AgentsNodes(db, ct);
        turnover.Know([.. nodes.Where(node => node.Serves).Select(node => new ServingNode(node.Instance, node.Agents))]);
        var urls = nodes.Select(node => node.Url).Distinct().ToList();
        // Of one node that was not told how hosts reach it, the name of its machine is a guess; hosts joined by an address that works.
        standing.Know(urls.Count > 1 || settings.Agents.PublicUrl.Length > 0 ? urls : []);
        if (_cleaned != 0 && clock.GetElapsedTime(_cleaned) < CleanEvery) return;
        _cleaned = clock.GetTimestamp();
        await CommitMark.Clean(db, ct);
    }

    /// <summary>Takes part in an exchange of the sealing key. A node that cannot goes on with what it has, and the others wait for
    /// it.</summary>
    async Task LearnKeys(CancellationToken ct)
    {
        try
        {
            await secrets.Refresh(ct);
            _keyProblem = null;
        }
        catch (BackupDrException e)
        {
            if (_keyProblem != e.Message) LogKey(log, e.Message);
            _keyProblem = e.Message;
        }
    }

    NodeFace Face() => new(settings.Node.NameOrMachine, Version, [.. settings.Node.Roles.Select(role => role.ToString())],
        settings.Node.Is(NodeRole.Api) ? listeners.AgentsPublicUrl : "", listeners.Console.ToString().TrimEnd('/'));

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Farewell);
        try { await NodeTable.Left(db, standing.Instance, late.Token); }
        // It is shown as silent then, which is true as well.
        catch (Exception e) when (Outage.Is(e) || e is OperationCanceledException or ObjectDisposedException) { return; }
    }

    [LoggerMessage(2221, LogLevel.Information, "This node {What}")]
    static partial void LogDrain(ILogger log, string what);

    [LoggerMessage(2223, LogLevel.Error, "This node cannot take part in the exchange of the sealing key: {Reason}")]
    static partial void LogKey(ILogger log, string reason);

    [LoggerMessage(2222, LogLevel.Error, "Something in the beat of this node is broken")]
    static partial void LogBroken(ILogger log, Exception exception);
}
