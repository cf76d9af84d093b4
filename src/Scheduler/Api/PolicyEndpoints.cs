using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Policies.Documents;
using Microsoft.AspNetCore.Mvc;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of policies as documents, their versions and their rules.</summary>
static class PolicyEndpoints
{
    /// <summary>Largest body with documents.</summary>
    const int LargestDocumentsBytes = 16 << 20;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("policies/templates", (Caller caller, ListPolicyTemplates handler, CancellationToken ct)
            => handler.Handle(caller, new ListPolicyTemplatesRequest(), ct)).For<ListPolicyTemplates>();
        api.MapGet("policies/{id}/document", (Caller caller, string id, ShowPolicyDocument handler, CancellationToken ct)
            => handler.Handle(caller, new ShowPolicyDocumentRequest(PolicyId.Parse(id)), ct)).For<ShowPolicyDocument>();
        api.MapPost("policies/document", (Caller caller, PolicyDocument document, WritePolicyDocument handler, CancellationToken ct)
            => handler.Handle(caller, document, ct)).For<WritePolicyDocument>();
        api.MapPost("policies/apply", (Caller caller, ApplyPoliciesRequest request, ApplyPolicies handler, CancellationToken ct)
            => handler.Handle(caller, request, ct)).For<ApplyPolicies>().WithMetadata(new RequestSizeLimitAttribute(LargestDocumentsBytes));
        api.MapGet("policies/{id}/versions", (Caller caller, string id, ListPolicyVersions handler, CancellationToken ct)
            => handler.Handle(caller, new ListPolicyVersionsRequest(PolicyId.Parse(id)), ct)).For<ListPolicyVersions>();
        api.MapGet("policies/{id}/versions/compare", (Caller caller, string id, int from, int to, ComparePolicyVersions handler,
            CancellationToken ct) => handler.Handle(caller, new ComparePolicyVersionsRequest(PolicyId.Parse(id), from, to), ct))
            .For<ComparePolicyVersions>();
        api.MapPost("policies/{id}/versions/{version}/restore", (Caller caller, string id, int version, RestorePolicyVersionRequest request,
            RestorePolicyVersion handler, CancellationToken ct) => handler.Handle(caller, request with
            {
                Id = PolicyId.Parse(id),
                Version = version,
            }, ct)).For<RestorePolicyVersion>();
        api.MapPost("policies/assignment", (Caller caller, PreviewAssignmentRequest request, PreviewAssignment handler,
            CancellationToken ct) => handler.Handle(caller, request, ct)).For<PreviewAssignment>();
        api.MapPost("policies/{id}/assignment/agree", (Caller caller, string id, AgreeAssignmentRequest request, AgreeAssignment handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = PolicyId.Parse(id) }, ct)).For<AgreeAssignment>();
        api.MapPost("items/{id}/retire", async (Caller caller, string id, RetireItem handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, new RetireItemRequest(ItemId.Parse(id)), ct);
            return Results.NoContent();
        }).For<RetireItem>();
        api.MapPut("hosts/{id}/labels", (Caller caller, string id, SetHostLabelsRequest request, SetHostLabels handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = HostId.Parse(id) }, ct)).For<SetHostLabels>();
    }
}
