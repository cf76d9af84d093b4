using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Evidence;

/// <summary>The append-only, hash-chained records of drills, restores and executions.</summary>
public sealed class EvidenceLog(TimeProvider clock)
{
    /// <summary>Adds a record in the transaction that it is about. It holds the chain's lock until the transaction ends, so this comes
    /// late, just before the audit.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="kind">For example "drill".</param>
    /// <param name="subject">Text form of the id that the record is about, for example a recovery point's.</param>
    /// <param name="body">The facts; kept as canonical JSON.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<EvidenceId> Append(Transaction tx, string kind, string subject, JsonElement body, CancellationToken ct)
    {
        var id = EvidenceId.New(clock);
        var canonical = CanonicalJson.Write(body);
        var (seq, previous, at) = await ChainHead.Take(tx, "evidence", ct);
        var hash = Link(previous, seq, id, at, kind, subject, canonical);
        await tx.Execute("insert into evidence (seq, id, at, kind, subject, body, hash) values ($1, $2, $3, $4, $5, $6, $7)",
            [seq, id, at, kind, subject, canonical, hash], ct);
        await ChainHead.Move(tx, "evidence", seq, hash, ct);
        return id;
    }

    internal static string Link(string previous, long seq, EvidenceId id, DateTimeOffset at, string kind, string subject, string body)
        => HashChain.Link(previous, seq, new Dictionary<string, string>
        {
            ["id"] = id.ToString(),
            ["at"] = HashChain.Moment(at),
            ["kind"] = kind,
            ["subject"] = subject,
            ["body"] = body,
        });
}
