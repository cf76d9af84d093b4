using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Evidence;

/// <summary>The append-only, hash-chained, signed records of drills, restores and executions.</summary>
public sealed class EvidenceLog(EvidenceKey key, TimeProvider clock)
{
    /// <summary>Adds a record in the transaction that it is about. It holds the chain's lock until the transaction ends, so this comes
    /// late, just before the audit.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="kind">For example "drill".</param>
    /// <param name="subject">Text form of the id that the record is about, for example an item's.</param>
    /// <param name="body">The facts; kept as canonical JSON.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<EvidenceId> Append(Transaction tx, string kind, string subject, EvidenceBody body, CancellationToken ct)
    {
        var id = EvidenceId.New(clock);
        var canonical = CanonicalJson.Write(JsonSerializer.SerializeToElement(body, WireJson.Default.EvidenceBody));
        var (seq, previous, at) = await ChainHead.Take(tx, "evidence", ct);
        var record = new EvidenceRecord(seq, previous, id.ToString(), HashChain.Moment(at), kind, subject, canonical);
        var hash = record.Hash;
        await tx.Execute("insert into evidence (seq, id, at, kind, subject, body, hash, signature) "
            + "values ($1, $2, $3, $4, $5, $6, $7, $8)", [seq, id, at, kind, subject, canonical, hash, key.Sign(hash)], ct);
        await ChainHead.Move(tx, "evidence", seq, hash, ct);
        await Notifications.Changed(tx, "evidence", id.ToString(), ct);
        return id;
    }
}
