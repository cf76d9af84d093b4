namespace BackupDr.Contracts.Api;

/// <summary>POST runbooks/{id}/bundle: the runbook with all that its execution needs where neither console nor database answers.</summary>
/// <param name="Id">The runbook, from the path.</param>
/// <param name="Passphrase">Seals what is secret in it: at least 12 characters. The recovery key opens it too.</param>
public sealed record SaveBundleRequest(RunbookId Id = default, string Passphrase = "");

/// <summary>A bundle.</summary>
/// <param name="FileName">A name for its file.</param>
/// <param name="Text">What is in it, UTF-8.</param>
/// <param name="Remarks">What it cannot do, in words; none where it can all.</param>
public sealed record SavedBundle(string FileName, string Text, IReadOnlyList<string> Remarks);

/// <summary>GET runbooks/{id}/bundle.</summary>
public sealed record ShowBundleRequest(RunbookId Id);

/// <summary>The newest bundle of a runbook, beside one that would be made now.</summary>
public sealed record BundleStanding
{
    /// <summary>The newest that was made; null for none.</summary>
    public NewestBundle? Newest { get; init; }
    /// <summary>What was changed since it was made, in words: while there is something, make it again. None where there is no bundle.
    /// </summary>
    public IReadOnlyList<string> Changes { get; init => field = value ?? []; } = [];
    /// <summary>What one that is made now cannot do, in words.</summary>
    public IReadOnlyList<string> Lacks { get; init => field = value ?? []; } = [];
    /// <summary>Why none can be made of this runbook, and what to do instead; null where one can.</summary>
    public string? Refusal { get; init; }
}

/// <summary>POST executions/merge: takes an execution that was carried out from a bundle into the history.</summary>
/// <param name="Text">What was written down of it, as it stands in its file.</param>
public sealed record MergeExecutionRequest(string Text = "");

/// <summary>What merging did.</summary>
/// <param name="Execution">The execution.</param>
/// <param name="IsNew">Whether it was not there before; otherwise nothing was changed.</param>
/// <param name="Events">How many events it has.</param>
public sealed record ExecutionMerged(ExecutionId Execution, bool IsNew, int Events);

/// <summary>The newest bundle that was made of a runbook.</summary>
/// <param name="Version">Of which version.</param>
/// <param name="At">When.</param>
/// <param name="By">By whom.</param>
public sealed record NewestBundle(int Version, DateTimeOffset At, string By);
