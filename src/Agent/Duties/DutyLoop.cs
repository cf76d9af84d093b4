using System.Security.Cryptography;
using System.Text;
using BackupDr.Agent.Clusters;
using BackupDr.Agent.MariaDb;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Duties;

/// <summary>Asks the node every few seconds for what is to be done all the time, does it, and tells how it goes. A node that is away ends
/// nothing.</summary>
public sealed partial class DutyLoop(NodeConnection connection, AgentIdentity identity, AgentState state, AgentStores stores,
    TimeProvider clock, ILogger<DutyLoop> log) : BackgroundService
{
    static readonly TimeSpan WhileAway = TimeSpan.FromSeconds(10), ShortestPause = TimeSpan.FromSeconds(1);

    sealed class Held(Duty duty, LogDuty doing)
    {
        public Duty Duty { get; set; } = duty;
        public LogDuty Doing { get; } = doing;
    }

    // Known to the node by it. The state folder lets in one process of a machine; a copy of the machine has booted another time.
    readonly string _process = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        $"{File.ReadAllText("/proc/sys/kernel/random/boot_id")} {state.Folder}")));
    readonly Dictionary<ItemId, Held> _held = [];
    readonly HashSet<ItemId> _ended = [];

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isAway = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = WhileAway;
            try
            {
                pause = await Ask(stoppingToken);
                isAway = false;
            }
            catch (BackupDrException e)
            {
                if (!isAway) LogAway(log, e.Message);
                isAway = true;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { break; }
            await Task.Delay(pause > ShortestPause ? pause : ShortestPause, clock, stoppingToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await Task.WhenAll(_held.Values.Select(held => held.Doing.DisposeAsync().AsTask()));
    }

    async Task<TimeSpan> Ask(CancellationToken ct)
    {
        var client = connection.Client;
        var answer = await client.Duties(new DutiesRequest
        {
            Process = _process,
            Reports = [.. _held.Select(one => new DutyReport(one.Key, one.Value.Duty.Epoch, one.Value.Duty.Version,
                one.Value.Doing.Report()))],
            Ended = [.. _ended],
            Term = identity.Term,
        }, ct);
        try { identity.Heed(answer.Term); }
        catch (ConflictException)
        {
            connection.Failed(client);   // what is done goes on; an older control plane ends nothing of it
            throw;
        }
        // It is heeded all the same; after a restart the next node tells it again.
        catch (Exception e) when (e is BackupDrException or IOException) { LogAway(log, e.Message); }
        _ended.Clear();
        foreach (var gone in _held.Keys.Except(answer.Duties.Select(duty => duty.Item)).ToList()) await Drop(gone);
        foreach (var duty in answer.Duties) await Do(duty, ct);
        return TimeSpan.FromMilliseconds(answer.NextMs);
    }

    async Task Do(Duty duty, CancellationToken ct)
    {
        var journal = Path.Combine(state.JournalFolder, duty.Item.ToString());
        if (duty.IsEnding)
        {
            await Drop(duty.Item);
            await End(duty, journal, ct);
            return;
        }
        if (_held.TryGetValue(duty.Item, out var held) && held.Duty.Version == duty.Version)
        {
            held.Duty = held.Duty with { Epoch = duty.Epoch };
            return;
        }
        if (duty is not { Source.Log: not null, Repository: { } access, HostName: { } host } || LogOf(duty) is not { } received) return;
        await Drop(duty.Item);
        LogBegins(log, duty.Item.ToString(), duty.Epoch);
        _held[duty.Item] = new Held(duty, new LogDuty(duty.Item, received,
            new LogPlace(host, journal, token => Open(duty.Item, access, host, token)), clock, log));
    }

    /// <summary>The log of a duty's source; null for a kind that this agent does not know, or where the source is not told.</summary>
    static IReceivedLog? LogOf(Duty duty) => duty.Source switch
    {
        { Kind: SourceKind.PostgreSql, PostgreSql: { } cluster } => new ClusterLog(duty.Item, cluster),
        { Kind: SourceKind.MariaDb, MariaDb: { } server } => new ServerLog(server),
        _ => null,
    };

    async Task<Repository> Open(ItemId item, RepositoryAccess access, string host, CancellationToken ct)
    {
        Directory.CreateDirectory(state.JournalFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var password = Secret.FromText(access.Password);
        return await Repository.Open(stores.Open(access), password, new RepositoryOptions
        {
            HostName = host,
            UserName = $"backupdr-{item}",
            ProgramVersion = $"backupdr {AgentCommand.Version}",
            ExpectedId = access.ConfigId,
            CacheFolder = identity.CacheFolder,
        }, ct);
    }

    async Task End(Duty duty, string journal, CancellationToken ct)
    {
        if (LogOf(duty) is not { } left) return;
        try
        {
            await LogDuty.End(left, journal, ct);
            _ended.Add(duty.Item);
            LogEnded(log, duty.Item.ToString());
        }
        catch (BackupDrException e) { LogNotEnded(log, duty.Item.ToString(), e.Message); }   // handed out again until it is
    }

    async Task Drop(ItemId item)
    {
        if (_held.Remove(item, out var held)) await held.Doing.DisposeAsync();
    }

    [LoggerMessage(3311, LogLevel.Warning, "The duties cannot be asked for: {Reason} What is being done goes on.")]
    static partial void LogAway(ILogger log, string reason);

    [LoggerMessage(3312, LogLevel.Information, "The log of {Item} is received (epoch {Epoch})")]
    static partial void LogBegins(ILogger log, string item, long epoch);

    [LoggerMessage(3313, LogLevel.Information, "The log of {Item} is no longer received; nothing of that is left on its server")]
    static partial void LogEnded(ILogger log, string item);

    [LoggerMessage(3314, LogLevel.Warning, "The receiving of the log of {Item} cannot be ended yet: {Reason}")]
    static partial void LogNotEnded(ILogger log, string item, string reason);
}
