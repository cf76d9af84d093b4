namespace BackupDr.Contracts.Api;

/// <summary>People, keys, approvals and the audit log.</summary>
public sealed partial class ApiClient
{
    /// <summary>GET users.</summary>
    public Task<IReadOnlyList<User>> Users(CancellationToken ct) => Get("users", WireJson.Default.IReadOnlyListUser, ct);
    /// <summary>PUT users/{id}/roles.</summary>
    public Task<User> SetRoles(SetUserRolesRequest request, CancellationToken ct) => Send(HttpMethod.Put, $"users/{request.Id}/roles",
        request, WireJson.Default.SetUserRolesRequest, WireJson.Default.User, ct);
    /// <summary>POST users/{id}/disable.</summary>
    public Task DisableUser(UserId id, CancellationToken ct) => Order(HttpMethod.Post, $"users/{id}/disable", ct);
    /// <summary>POST users/{id}/enable.</summary>
    public Task EnableUser(UserId id, CancellationToken ct) => Order(HttpMethod.Post, $"users/{id}/enable", ct);
    /// <summary>POST users/{id}/password.</summary>
    public Task<UserCreated> ResetPassword(ResetPasswordRequest request, CancellationToken ct) => Send(HttpMethod.Post,
        $"users/{request.Id}/password", request, WireJson.Default.ResetPasswordRequest, WireJson.Default.UserCreated, ct);
    /// <summary>GET keys.</summary>
    public Task<IReadOnlyList<ApiKey>> Keys(CancellationToken ct) => Get("keys", WireJson.Default.IReadOnlyListApiKey, ct);
    /// <summary>POST keys.</summary>
    public Task<ApiKeyCreated> CreateKey(CreateApiKeyRequest request, CancellationToken ct) => Send(HttpMethod.Post, "keys", request,
        WireJson.Default.CreateApiKeyRequest, WireJson.Default.ApiKeyCreated, ct);
    /// <summary>DELETE keys/{id}.</summary>
    public Task RevokeKey(ApiKeyId id, CancellationToken ct) => Order(HttpMethod.Delete, $"keys/{id}", ct);
    /// <summary>GET approvals.</summary>
    public Task<IReadOnlyList<Approval>> Approvals(bool over, CancellationToken ct)
        => Get(over ? "approvals?over=true" : "approvals", WireJson.Default.IReadOnlyListApproval, ct);
    /// <summary>POST approvals/{id}/refuse.</summary>
    public Task<Approval> Refuse(RefuseRequest request, CancellationToken ct) => Send(HttpMethod.Post, $"approvals/{request.Id}/refuse",
        request, WireJson.Default.RefuseRequest, WireJson.Default.Approval, ct);
    /// <summary>POST audit/verify.</summary>
    public Task<AuditVerdict> VerifyAudit(CancellationToken ct)
        => Send(HttpMethod.Post, "audit/verify", new VerifyAuditRequest(), WireJson.Default.VerifyAuditRequest,
            WireJson.Default.AuditVerdict, ct);
    /// <summary>GET audit/export, as it is.</summary>
    public Task ExportAudit(Stream into, CancellationToken ct) => Stream("audit/export", "audit log", into, ct);

    /// <summary>GET secrets.</summary>
    public Task<SecretRotation> SecretRotation(CancellationToken ct) => Get("secrets", WireJson.Default.SecretRotation, ct);
    /// <summary>POST secrets/rotate.</summary>
    public Task<SecretRotation> RotateSecrets(CancellationToken ct) => Send(HttpMethod.Post, "secrets/rotate", new RotateSecretsRequest(),
        WireJson.Default.RotateSecretsRequest, WireJson.Default.SecretRotation, ct);
    /// <summary>POST support-bundle: a ZIP archive, as it is.</summary>
    public Task WriteSupportBundle(Stream into, CancellationToken ct)
        => Stream("support-bundle", "support bundle", into, ct, HttpMethod.Post);

    async Task Order(HttpMethod method, string path, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(CallTimeout);
        try
        {
            using var message = new HttpRequestMessage(method, new Uri(Root + path, UriKind.Relative));
            using var response = await _http.SendAsync(message, late.Token);
            if (!response.IsSuccessStatusCode) throw Problem(response.StatusCode, await response.Content.ReadAsByteArrayAsync(late.Token));
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UnavailableException("node.unreachable",
                $"The node at {_http.BaseAddress} did not answer within {CallTimeout.TotalSeconds:0} seconds.", inner: e);
        }
        catch (HttpRequestException e)
        {
            throw new UnavailableException("node.unreachable", $"The node at {_http.BaseAddress} cannot be reached: {e.Message}",
                "Check the address and whether the node runs.", e);
        }
    }
}
