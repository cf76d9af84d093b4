using BackupDr.Contracts.Rules.Runbooks;

namespace BackupDr.Contracts.Api;

/// <summary>GET runbooks/draft: the beginning of a runbook that brings an item back.</summary>
/// <param name="Item">The item.</param>
public sealed record DraftRunbookRequest(ItemId Item);

/// <summary>POST runbooks/check: what is wrong with a document, by itself. Nothing is kept.</summary>
/// <param name="Yaml">One document, YAML or JSON.</param>
public sealed record CheckRunbookRequest(string Yaml);

/// <summary>What was found.</summary>
public sealed record RunbookCheck
{
    /// <summary>What the document says; null where it cannot be read.</summary>
    public RunbookDocument? Document { get; init; }
    /// <summary>What is wrong, from the top; empty for a document that can be saved.</summary>
    public IReadOnlyList<RunbookFault> Faults { get; init => field = value ?? []; } = [];
}

/// <summary>Something wrong in the text of a runbook.</summary>
/// <param name="Line">Where, from 1.</param>
/// <param name="Column">Where, from 1.</param>
/// <param name="Problem">What is wrong.</param>
/// <param name="Advice">What to do; null where that is plain.</param>
/// <param name="IsBlank">Whether it is only not filled in yet: "&lt;what belongs here&gt;".</param>
public sealed record RunbookFault(int Line, int Column, string Problem, string? Advice = null, bool IsBlank = false);

/// <summary>GET runbooks/{id}/times: how long its steps took.</summary>
/// <param name="Id">The runbook.</param>
public sealed record ListStepTimesRequest(RunbookId Id);

/// <summary>How long the steps of a runbook took, and what follows from that.</summary>
/// <param name="Steps">Those that were measured.</param>
/// <param name="Path">What decides how soon it is done in a disaster; null where the newest version cannot be executed as it is.</param>
public sealed record RunbookTimes(IReadOnlyList<StepTime> Steps, RunbookPath? Path);
