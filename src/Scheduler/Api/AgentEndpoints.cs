using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alone;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of the agents' listener.</summary>
static class AgentEndpoints
{
    public static void MapAgents(this IEndpointRouteBuilder app)
    {
        var agent = app.MapGroup(AgentProtocol.Root).AddEndpointFilter(EndsConnection);
        agent.MapPost("join", (Caller caller, JoinRequest request, JoinAgent handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<JoinAgent>().ExcludeFromDescription()
            .RequireRateLimiting(CallerLimits.Anonymous);
        agent.MapPost("renew", (Caller caller, RenewRequest request, RenewCertificate handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<RenewCertificate>().ExcludeFromDescription();
        agent.MapPost("inventory", async (Caller caller, InventoryRequest request, RecordInventory handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, request, ct);
            return Results.NoContent();
        }).For<RecordInventory>().ExcludeFromDescription();
        agent.MapPost("duties", (Caller caller, DutiesRequest request, TellDuties handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<TellDuties>().ExcludeFromDescription();
        agent.MapPost("alone", (Caller caller, AloneRequest request, MeetAlone handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<MeetAlone>().ExcludeFromDescription();
        agent.MapPost("lease", async (Caller caller, LeaseRequest request, LeaseRun handler, CancellationToken ct) =>
        {
            var answer = await handler.Handle(caller, request, ct);
            return answer.Run is null && answer is { Requests.Count: 0, Addresses: null }
                && !(request.Term?.Term < answer.Term?.Term) ? Results.NoContent()
                : Results.Json(answer, WireJson.Default.LeaseAnswer);
        }).For<LeaseRun>().ExcludeFromDescription();
        agent.MapPost("report", (Caller caller, ReportRequest request, ReportRun handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<ReportRun>().ExcludeFromDescription();
        agent.MapPost("complete", async (Caller caller, CompleteRequest request, CompleteRun handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, request, ct);
            return Results.NoContent();
        }).For<CompleteRun>().ExcludeFromDescription();
        agent.MapPost("requests/{id}", async (Caller caller, string id, AgentRequestAnswer answer, AnswerRequest handler,
            CancellationToken ct) =>
        {
            await handler.Handle(caller, RequestId.Parse(id), answer, ct);
            return Results.NoContent();
        }).For<AnswerRequest>().ExcludeFromDescription();
        NodeEndpoints.MapJoin(agent);
        agent.MapGet("authority", (CertificateAuthority authority) => Results.Text(authority.AuthorityPem, "application/x-pem-file"))
            .ExcludeFromDescription();
        app.MapGet("/install.sh", async (InstallScript script, CancellationToken ct, string token = "")
            => Results.Text(await script.For(token, ct), "text/x-shellscript")).ExcludeFromDescription()
                .RequireRateLimiting(CallerLimits.Anonymous);
        app.MapGet("/agent.tar.gz", async (InstallScript script, AgentArchive archive, CancellationToken ct, string token = "") =>
        {
            var file = archive.File();
            if (token.Length > 0) await script.NoteArchive(token, ct);
            return Results.File(file, "application/gzip");
        }).ExcludeFromDescription().RequireRateLimiting(CallerLimits.Anonymous);
    }

    /// <summary>Says with an answer that it is the last one of its connection, where a node came that is to have its share.</summary>
    static async ValueTask<object?> EndsConnection(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var answer = await next(context);
        var http = context.HttpContext;
        if (http.Features.Get<ListenerFeature>() is { } listener && http.RequestServices.GetRequiredService<ConnectionTurnover>()
            .Ends(http.Connection.Id, listener.OpenedAt)) http.Response.Headers.Connection = "close";
        return answer;
    }
}
