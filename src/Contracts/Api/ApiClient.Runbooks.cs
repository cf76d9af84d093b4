namespace BackupDr.Contracts.Api;

/// <summary>Runbooks and their executions.</summary>
public sealed partial class ApiClient
{
    /// <summary>GET runbooks.</summary>
    public Task<IReadOnlyList<Runbook>> Runbooks(CancellationToken ct) => Get("runbooks", WireJson.Default.IReadOnlyListRunbook, ct);
    /// <summary>GET runbooks/{id}/document.</summary>
    public Task<RunbookYaml> RunbookDocument(RunbookId id, CancellationToken ct)
        => Get($"runbooks/{id}/document", WireJson.Default.RunbookYaml, ct);
    /// <summary>POST runbooks/apply.</summary>
    public Task<RunbooksApplied> ApplyRunbooks(ApplyRunbooksRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        "runbooks/apply", request, WireJson.Default.ApplyRunbooksRequest, WireJson.Default.RunbooksApplied, ct);
    /// <summary>POST runbooks/{id}/failback.</summary>
    public Task<Runbook> MakeFailback(MakeFailbackRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"runbooks/{request.Id}/failback", request, WireJson.Default.MakeFailbackRequest, WireJson.Default.Runbook, ct);
    /// <summary>POST runbooks/{id}/bundle.</summary>
    public Task<SavedBundle> SaveBundle(SaveBundleRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"runbooks/{request.Id}/bundle", request, WireJson.Default.SaveBundleRequest, WireJson.Default.SavedBundle, ct);
    /// <summary>POST executions/merge.</summary>
    public Task<ExecutionMerged> MergeExecution(MergeExecutionRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        "executions/merge", request, WireJson.Default.MergeExecutionRequest, WireJson.Default.ExecutionMerged, ct);
    /// <summary>POST runbooks/{id}/rehearse.</summary>
    public Task<ExecutionStarted> Rehearse(RehearseRunbookRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"runbooks/{request.Id}/rehearse", request, WireJson.Default.RehearseRunbookRequest, WireJson.Default.ExecutionStarted, ct);
    /// <summary>POST runbooks/{id}/executions.</summary>
    public Task<ExecutionStarted> Execute(StartExecutionRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"runbooks/{request.Id}/executions", request, WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted, ct);
    /// <summary>GET executions/{id}.</summary>
    public Task<ExecutionView> Execution(ExecutionId id, CancellationToken ct)
        => Get($"executions/{id}", WireJson.Default.ExecutionView, ct);
    /// <summary>POST executions/{id}/actions.</summary>
    public Task<ExecutionView> Act(ActOnExecutionRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"executions/{request.Id}/actions", request, WireJson.Default.ActOnExecutionRequest, WireJson.Default.ExecutionView, ct);
}
