using System.Security.Cryptography;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Evidence;

/// <summary>The installation's own key for evidence: made at the first start, sealed in the database, the same on all nodes.</summary>
public sealed class EvidenceKey(Postgres db, SealedSecrets secrets) : IDisposable
{
    const int SignAtOnce = 500;

    readonly Lock _one = new();   // an ECDsa serves one thread at a time
    ECDsa? _key;

    /// <summary>SubjectPublicKeyInfo of the public part.</summary>
    public byte[] Public { get; private set; } = [];

    /// <summary>SHA-256 of it, 64 hex characters: what people compare.</summary>
    public string Fingerprint => EvidenceSignature.Fingerprint(Public);

    /// <summary>Reads the key, or makes it, and signs what has no signature yet. Called once, after the sealing key is known.</summary>
    /// <exception cref="Contracts.ConflictException">The sealed key does not open.</exception>
    public async Task Load(CancellationToken ct)
    {
        await db.InTransaction(async tx =>
        {
            await tx.Execute("lock table evidence_key in share row exclusive mode", [], ct);   // nodes that start together make one
            var box = await tx.First("select key_sealed from evidence_key", [], row => row.Bytes("key_sealed"), ct);
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            if (box is not null) key.ImportPkcs8PrivateKey(secrets.Open("evidence_key", "1", "key", box), out _);
            else
                await tx.Execute("insert into evidence_key (public_key, key_sealed) values ($1, $2)",
                    [key.ExportSubjectPublicKeyInfo(), (await secrets.InUse(tx, ct)).Seal("evidence_key", "1", "key",
                        key.ExportPkcs8PrivateKey())], ct);
            (_key, Public) = (key, key.ExportSubjectPublicKeyInfo());
        }, ct);
        await SignOlder(ct);
    }

    /// <summary>Signs a hash.</summary>
    public byte[] Sign(string hash)
    {
        lock (_one) return EvidenceSignature.Sign(_key ?? throw new InvalidOperationException("The evidence key was not loaded."), hash);
    }

    /// <summary>Whether a signature is ours over this hash.</summary>
    public bool Fits(string hash, byte[] signature)
    {
        lock (_one) return _key is not null && EvidenceSignature.Fits(_key, hash, signature);
    }

    /// <summary>Signs records that have no signature: those of versions before there was a key. Only where their hash is right.</summary>
    public async Task SignOlder(CancellationToken ct)
    {
        var last = 0L;
        while (true)
        {
            var records = await db.Query($"{EvidenceTable.Select} where e.signature is null and e.seq > $1 order by e.seq limit $2",
                [last, SignAtOnce], EvidenceTable.Read, ct);
            foreach (var one in records.Where(one => one.Record.Hash == one.Hash))
                await db.Execute("update evidence set signature = $2 where seq = $1 and signature is null",
                    [one.Record.Seq, Sign(one.Hash)], ct);
            if (records.Count < SignAtOnce) return;
            last = records[^1].Record.Seq;
        }
    }

    /// <summary>Forgets the key.</summary>
    public void Dispose() => _key?.Dispose();
}
