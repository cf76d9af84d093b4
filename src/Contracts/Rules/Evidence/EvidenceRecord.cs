namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>One record of the chain: texts only, so that no tool reads a number differently.</summary>
/// <param name="Seq">Its number, from 1.</param>
/// <param name="Previous">Hash of the record before it, 64 hex characters.</param>
/// <param name="Id">Text form of its id.</param>
/// <param name="At">When it was added, as <see cref="HashChain.Moment"/> writes it.</param>
/// <param name="Kind">What it is about: "drill", "restore", "heal", "replica", "lost",
/// "execution".</param>
/// <param name="Subject">Text form of the id of the thing it is about.</param>
/// <param name="Body">The facts, a JSON object in canonical form.</param>
public sealed record EvidenceRecord(long Seq, string Previous, string Id, string At, string Kind, string Subject, string Body)
{
    /// <summary>The text whose UTF-8 bytes are hashed and signed.</summary>
    public string Canonical => HashChain.Canonical(Previous, Seq, new Dictionary<string, string>
    {
        ["id"] = Id,
        ["at"] = At,
        ["kind"] = Kind,
        ["subject"] = Subject,
        ["body"] = Body,
    });

    /// <summary>SHA-256 of <see cref="Canonical"/>, in lower-case hex.</summary>
    public string Hash => HashChain.Hash(Canonical);
}
