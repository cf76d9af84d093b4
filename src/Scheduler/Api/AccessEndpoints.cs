using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Access.Trail;
using Microsoft.AspNetCore.Mvc;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of people, keys, approvals and the audit log.</summary>
static class AccessEndpoints
{
    const string Lines = "application/x-ndjson";

    public static void Map(RouteGroupBuilder api)
    {
        MapOwn(api);
        MapUsers(api);
        MapKeys(api);
        MapApprovals(api);
        MapAudit(api);
    }

    static void MapOwn(RouteGroupBuilder api)
    {
        api.MapPost("session", (SignInRequest request, SignIn handler, HttpContext http, CancellationToken ct) =>
            SessionCookie.Open(http, handler, request, ct)).For<SignIn>().RequireRateLimiting(CallerLimits.SignIn);
        api.MapDelete("session", (SignOut handler, HttpContext http, CancellationToken ct) => Done(SessionCookie.Close(http, handler, ct)))
            .For<SignOut>();
        api.MapPost("invitation", (Caller caller, AcceptInvitationRequest request, AcceptInvitation handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<AcceptInvitation>().RequireRateLimiting(CallerLimits.SignIn);
        api.MapGet("me", (Caller caller, ShowMe handler, CancellationToken ct) => handler.Handle(caller, new ShowMeRequest(), ct))
            .For<ShowMe>();
        api.MapPost("me/password", (Caller caller, ChangePasswordRequest request, ChangePassword handler, CancellationToken ct) =>
            Done(handler.Handle(caller, request, ct))).For<ChangePassword>().RequireRateLimiting(CallerLimits.SignIn);
        api.MapGet("me/sessions", (Caller caller, ListOwnSessions handler, CancellationToken ct) =>
            handler.Handle(caller, new ListOwnSessionsRequest(), ct)).For<ListOwnSessions>();
        api.MapDelete("me/sessions/{session}", (Caller caller, string session, EndOwnSession handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new EndOwnSessionRequest(SessionId.Parse(session)), ct))).For<EndOwnSession>();
    }

    static void MapUsers(RouteGroupBuilder api)
    {
        api.MapGet("users", (Caller caller, ListUsers handler, CancellationToken ct) => handler.Handle(caller, new ListUsersRequest(), ct))
            .For<ListUsers>();
        api.MapPost("users", (Caller caller, CreateUserRequest request, CreateUser handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<CreateUser>();
        api.MapGet("users/{id}", (Caller caller, string id, ShowUser handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowUserRequest(UserId.Parse(id)), ct)).For<ShowUser>();
        api.MapPut("users/{id}/roles", (Caller caller, string id, SetUserRolesRequest request, SetUserRoles handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = UserId.Parse(id) }, ct)).For<SetUserRoles>();
        api.MapPost("users/{id}/disable", (Caller caller, string id, DisableUser handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new DisableUserRequest(UserId.Parse(id)), ct))).For<DisableUser>();
        api.MapPost("users/{id}/enable", (Caller caller, string id, EnableUser handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new EnableUserRequest(UserId.Parse(id)), ct))).For<EnableUser>();
        api.MapPost("users/{id}/password", (Caller caller, string id, ResetPasswordRequest? request, ResetPassword handler,
            CancellationToken ct) => handler.Handle(caller, (request ?? new ResetPasswordRequest()) with { Id = UserId.Parse(id) }, ct))
            .For<ResetPassword>();
        api.MapDelete("users/{id}/sessions/{session}", (Caller caller, string id, string session, EndSession handler, CancellationToken ct)
            => Done(handler.Handle(caller, new EndSessionRequest(UserId.Parse(id), SessionId.Parse(session)), ct))).For<EndSession>();
    }

    static void MapKeys(RouteGroupBuilder api)
    {
        api.MapGet("keys", (Caller caller, ListApiKeys handler, CancellationToken ct) =>
            handler.Handle(caller, new ListApiKeysRequest(), ct)).For<ListApiKeys>();
        api.MapPost("keys", (Caller caller, CreateApiKeyRequest request, CreateApiKey handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<CreateApiKey>();
        api.MapDelete("keys/{id}", (Caller caller, string id, RevokeApiKey handler, CancellationToken ct) =>
            Done(handler.Handle(caller, new RevokeApiKeyRequest(ApiKeyId.Parse(id)), ct))).For<RevokeApiKey>();
    }

    static void MapApprovals(RouteGroupBuilder api)
    {
        api.MapGet("approvals", (Caller caller, bool? over, ListApprovals handler, CancellationToken ct) =>
            handler.Handle(caller, new ListApprovalsRequest(over ?? false), ct)).For<ListApprovals>();
        api.MapGet("approvals/{id}", (Caller caller, string id, ShowApproval handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowApprovalRequest(ApprovalId.Parse(id)), ct)).For<ShowApproval>();
        api.MapPost("approvals/{id}/approve", (Caller caller, string id, ApproveRequest request, ApproveApproval handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = ApprovalId.Parse(id) }, ct)).For<ApproveApproval>();
        api.MapPost("approvals/{id}/refuse", (Caller caller, string id, RefuseRequest? request, RefuseApproval handler,
            CancellationToken ct) => handler.Handle(caller, (request ?? new RefuseRequest()) with { Id = ApprovalId.Parse(id) }, ct))
            .For<RefuseApproval>();
        api.MapGet("four-eyes", (Caller caller, ShowFourEyes handler, CancellationToken ct) =>
            handler.Handle(caller, new ShowFourEyesRequest(), ct)).For<ShowFourEyes>();
        api.MapPut("four-eyes", (Caller caller, SetFourEyesRequest request, SetFourEyes handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<SetFourEyes>();
    }

    static void MapAudit(RouteGroupBuilder api)
    {
        api.MapGet("audit", (Caller caller, long? before, int? limit, string? actor, string? action,
            [FromQuery(Name = "object")] string? about,
            string? text, DateTimeOffset? since, DateTimeOffset? until, ListAudit handler, CancellationToken ct) =>
            handler.Handle(caller, new ListAuditRequest(before, limit ?? 100, actor, action, about, text, since, until), ct))
            .For<ListAudit>();
        api.MapPost("audit/verify", (Caller caller, VerifyAudit handler, CancellationToken ct) =>
            handler.Handle(caller, new VerifyAuditRequest(), ct)).For<VerifyAudit>();
        api.MapGet("audit/export", (Caller caller, ExportAudit handler, CancellationToken ct) => Results.Stream(
            into => handler.Handle(caller, new ExportAuditRequest(), into, ct), Lines, "backupdr-audit.jsonl")).For<ExportAudit>();
    }

    static async Task<IResult> Done(Task work)
    {
        await work;
        return Results.NoContent();
    }
}
