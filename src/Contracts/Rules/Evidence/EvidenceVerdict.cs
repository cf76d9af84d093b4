namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>What a file of evidence turned out to be.</summary>
public sealed record EvidenceVerdict
{
    /// <summary>Whether nothing in it was changed, left out, added or moved since it was signed with the key it names.</summary>
    public bool Holds => Problems.Count == 0;
    /// <summary>What is wrong, in the file's order; at most <see cref="EvidenceCheck.MostProblems"/>.</summary>
    public required IReadOnlyList<EvidenceProblem> Problems { get; init; }
    /// <summary>Records that were read.</summary>
    public required long Records { get; init; }
    /// <summary>Number of the first record that belongs in it; null where the first line cannot be read.</summary>
    public long? From { get; init; }
    /// <summary>Number of the last record.</summary>
    public long? To { get; init; }
    /// <summary>Hash of the last record.</summary>
    public string? Hash { get; init; }
    /// <summary>Fingerprint of the key in the file.</summary>
    public string? Fingerprint { get; init; }
    /// <summary>When it was exported.</summary>
    public string? MadeAt { get; init; }
    /// <summary>Number of the chain's last record when it was exported; larger than <see cref="To"/> where it holds a part.</summary>
    public long? ChainSeq { get; init; }
}

/// <summary>One thing that is wrong.</summary>
/// <param name="Line">Line of the file, from 1.</param>
/// <param name="Record">Number of the record concerned; null for the first and the last line.</param>
/// <param name="Text">What is wrong, naming the record.</param>
public sealed record EvidenceProblem(int Line, long? Record, string Text);
