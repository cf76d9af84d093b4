using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Scheduler.Access.Trail;

/// <summary>Records the head of the audit log in the evidence: a log that is cut off with its head then shows, and one that is cut off
/// together with the evidence shows against any export of that.</summary>
public sealed class AuditAnchors(Postgres db, EvidenceLog evidence)
{
    /// <summary>Records the head, unless it is recorded already, or another one was less than this long ago.</summary>
    public Task Record(TimeSpan atMostEvery, CancellationToken ct) => db.InTransaction(async tx =>
    {
        // The chain's lock comes first everywhere: evidence before audit.
        await tx.Execute("select from chain_head where chain = 'evidence' for update", [], ct);
        var head = await ListAudit.Head(tx, ct);
        var last = await tx.First("select at > clock() - $2 as is_young, body from evidence where kind = $1 order by seq desc limit 1",
            [AuditChain.AnchorKind, atMostEvery], row => new { IsYoung = row.Bool(0), Body = row.Text(1) }, ct);
        if (head.Seq == 0 || last is not null && (last.IsYoung || Of(last.Body)?.Seq == head.Seq)) return;
        await evidence.Append(tx, AuditChain.AnchorKind, AuditChain.AnchorKind, new EvidenceBody
        {
            AuditSeq = head.Seq.ToString(CultureInfo.InvariantCulture),
            AuditHash = head.Hash,
        }, ct);
    }, ct);

    /// <summary>All heads that the evidence recorded.</summary>
    internal static async Task<List<(long Seq, string Hash)>> All(SqlSource db, CancellationToken ct)
        => [.. (await db.Query("select body from evidence where kind = $1 order by seq", [AuditChain.AnchorKind], row => Of(row.Text(0)),
            ct))
            .OfType<(long Seq, string Hash)>()];

    /// <summary>The head that a record's facts name; null where somebody broke them, which the evidence's own chain says.</summary>
    static (long Seq, string Hash)? Of(string body)
    {
        try
        {
            var facts = JsonSerializer.Deserialize(body, WireJson.Default.EvidenceBody);
            return facts is { AuditHash: { } hash } && long.TryParse(facts.AuditSeq, NumberStyles.None, CultureInfo.InvariantCulture,
                out var seq) ? (seq, hash) : null;
        }
        catch (JsonException)
        {
            return null;   // the evidence's own chain tells that this record was changed
        }
    }
}

/// <summary>Records the head now and then, on every node that has loops.</summary>
public sealed partial class AuditAnchorLoop(AuditAnchors anchors, TimeProvider clock, ILogger<AuditAnchorLoop> log) : BackgroundService
{
    /// <summary>How much of the log can be cut off together with its head without showing in the evidence, at most.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromHours(1);

    static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(5);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try { await anchors.Record(Every, stoppingToken); }
                catch (Exception e) when (Outage.Is(e)) { LogPaused(log, e.Message); }   // the next turn looks again; nothing was kept half
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { return; }
    }

    [LoggerMessage(2301, LogLevel.Warning, "The head of the audit log waits for the database: {Reason}")]
    static partial void LogPaused(ILogger log, string reason);
}
