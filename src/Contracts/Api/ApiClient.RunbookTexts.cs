namespace BackupDr.Contracts.Api;

/// <summary>Runbooks as texts, their versions, and the secrets that their steps name.</summary>
public sealed partial class ApiClient
{
    /// <summary>GET runbooks/draft.</summary>
    public Task<RunbookYaml> DraftRunbook(ItemId item, CancellationToken ct)
        => Get($"runbooks/draft?item={item}", WireJson.Default.RunbookYaml, ct);
    /// <summary>POST runbooks/check.</summary>
    public Task<RunbookCheck> CheckRunbook(CheckRunbookRequest request, CancellationToken ct) => Send(HttpMethod.Post, "runbooks/check",
        request, WireJson.Default.CheckRunbookRequest, WireJson.Default.RunbookCheck, ct);
    /// <summary>GET runbooks/{id}/versions.</summary>
    public Task<IReadOnlyList<RunbookVersion>> RunbookVersions(RunbookId id, CancellationToken ct)
        => Get($"runbooks/{id}/versions", WireJson.Default.IReadOnlyListRunbookVersion, ct);
    /// <summary>DELETE runbooks/{id}.</summary>
    public Task RemoveRunbook(RunbookId id, CancellationToken ct) => Order(HttpMethod.Delete, $"runbooks/{id}", ct);
    /// <summary>GET executions.</summary>
    public Task<IReadOnlyList<ExecutionSummary>> Executions(ListExecutionsRequest request, CancellationToken ct)
        => Get($"executions?open={(request.Open ? "true" : "false")}{(request.Runbook is { } id ? $"&runbook={id}" : "")}",
            WireJson.Default.IReadOnlyListExecutionSummary, ct);
    /// <summary>GET step-secrets.</summary>
    public Task<IReadOnlyList<StepSecret>> StepSecrets(CancellationToken ct)
        => Get("step-secrets", WireJson.Default.IReadOnlyListStepSecret, ct);
    /// <summary>PUT step-secrets/{name}.</summary>
    public Task<StepSecret> SaveStepSecret(SaveStepSecretRequest request, CancellationToken ct) => Send(HttpMethod.Put,
        $"step-secrets/{Uri.EscapeDataString(request.Name)}", request, WireJson.Default.SaveStepSecretRequest,
        WireJson.Default.StepSecret, ct);
    /// <summary>DELETE step-secrets/{name}.</summary>
    public Task RemoveStepSecret(string name, CancellationToken ct)
        => Order(HttpMethod.Delete, $"step-secrets/{Uri.EscapeDataString(name)}", ct);
}
