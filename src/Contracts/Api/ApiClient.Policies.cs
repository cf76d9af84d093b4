namespace BackupDr.Contracts.Api;

/// <summary>Policies as documents, and labels.</summary>
public sealed partial class ApiClient
{
    /// <summary>GET hosts.</summary>
    public Task<IReadOnlyList<Host>> Hosts(CancellationToken ct) => Get("hosts", WireJson.Default.IReadOnlyListHost, ct);
    /// <summary>GET policies.</summary>
    public Task<IReadOnlyList<Policy>> Policies(CancellationToken ct) => Get("policies", WireJson.Default.IReadOnlyListPolicy, ct);
    /// <summary>GET policies/{id}/document.</summary>
    public Task<PolicyYaml> PolicyDocument(PolicyId id, CancellationToken ct)
        => Get($"policies/{id}/document", WireJson.Default.PolicyYaml, ct);
    /// <summary>POST policies/document.</summary>
    public Task<PolicyYaml> WriteDocument(PolicyDocument document, CancellationToken ct) => Send(HttpMethod.Post, "policies/document",
        document, WireJson.Default.PolicyDocument, WireJson.Default.PolicyYaml, ct);
    /// <summary>POST policies/apply.</summary>
    public Task<PoliciesApplied> Apply(ApplyPoliciesRequest request, CancellationToken ct) => Send(HttpMethod.Post, "policies/apply",
        request, WireJson.Default.ApplyPoliciesRequest, WireJson.Default.PoliciesApplied, ct);
    /// <summary>GET policies/{id}/versions.</summary>
    public Task<IReadOnlyList<PolicyVersion>> PolicyVersions(PolicyId id, CancellationToken ct)
        => Get($"policies/{id}/versions", WireJson.Default.IReadOnlyListPolicyVersion, ct);
    /// <summary>POST policies/{id}/versions/{version}/restore.</summary>
    public Task<Policy> RestorePolicyVersion(RestorePolicyVersionRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"policies/{request.Id}/versions/{request.Version}/restore", request, WireJson.Default.RestorePolicyVersionRequest,
        WireJson.Default.Policy, ct);
    /// <summary>PUT hosts/{id}/labels.</summary>
    public Task<Host> SetLabels(SetHostLabelsRequest request, CancellationToken ct) => Send(HttpMethod.Put, $"hosts/{request.Id}/labels",
        request, WireJson.Default.SetHostLabelsRequest, WireJson.Default.Host, ct);
    /// <summary>POST hosts/{id}/approve.</summary>
    public Task<Host> ApproveHost(ApproveHostRequest request, CancellationToken ct) => Send(HttpMethod.Post, $"hosts/{request.Id}/approve",
        request, WireJson.Default.ApproveHostRequest, WireJson.Default.Host, ct);
    /// <summary>POST hosts/{id}/refuse.</summary>
    public Task RefuseHost(RefuseHostRequest request, CancellationToken ct) => Order(HttpMethod.Post, $"hosts/{request.Id}/refuse", ct);
}
