namespace BackupDr.Scheduler.Database;

/// <summary>The last link of a hash chain. Its row lock puts the chain's writers, on all nodes, into one order.</summary>
static class ChainHead
{
    /// <summary>Locks the chain until the transaction ends; gives the next number, the hash to link to and the moment.</summary>
    public static async Task<(long Seq, string Previous, DateTimeOffset At)> Take(Transaction tx, string chain, CancellationToken ct)
    {
        var head = await tx.First("select seq, hash from chain_head where chain = $1 for update", [chain],
            row => (Seq: row.Long("seq"), Hash: row.Text("hash")), ct);
        if (head.Hash is null) throw new InvalidOperationException($"The chain {chain} has no head.");
        var at = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);   // after the lock, so that times grow with the numbers
        return (head.Seq + 1, head.Hash, at);
    }

    /// <summary>Makes the new link the last one.</summary>
    public static Task Move(Transaction tx, string chain, long seq, string hash, CancellationToken ct)
        => tx.Execute("update chain_head set seq = $2, hash = $3 where chain = $1", [chain, seq, hash], ct);
}
