using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>The append-only, hash-chained log of what was done by whom. Written in the transaction that does it, as its last
/// statement.</summary>
public static class Audit
{
    /// <summary>Longest detail; the rest is cut.</summary>
    public const int MaximumDetail = 2000;

    /// <summary>Adds an entry. It holds the chain's lock until the transaction ends, so this comes last.</summary>
    /// <param name="tx">The transaction that does what is logged.</param>
    /// <param name="caller">Who does it.</param>
    /// <param name="action">"subject.verb", for example "policy.pause".</param>
    /// <param name="thing">Text form of the object's id, or its name.</param>
    /// <param name="detail">What else matters; never a secret.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task Add(Transaction tx, Caller caller, string action, string thing, string detail, CancellationToken ct)
    {
        if (detail.Length > MaximumDetail) detail = detail[..MaximumDetail];
        var (seq, previous, at) = await ChainHead.Take(tx, "audit", ct);
        var hash = AuditChain.Link(previous, new AuditEntry(seq, at, caller.Name, action, thing, detail, ""));
        await tx.Execute("insert into audit (seq, at, actor, action, object, detail, hash) values ($1, $2, $3, $4, $5, $6, $7)",
            [seq, at, caller.Name, action, thing, detail, hash], ct);
        await ChainHead.Move(tx, "audit", seq, hash, ct);
    }
}
