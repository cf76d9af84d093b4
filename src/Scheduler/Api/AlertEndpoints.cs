using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of alerts.</summary>
static class AlertEndpoints
{
    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("alerts", (Caller caller, bool? cleared, ListAlerts handler, CancellationToken ct)
            => handler.Handle(caller, new ListAlertsRequest(cleared ?? false), ct)).For<ListAlerts>();
        api.MapPost("alerts/{id}/acknowledge", (Caller caller, string id, AcknowledgeAlertRequest request, AcknowledgeAlert handler,
            CancellationToken ct) => handler.Handle(caller, request with { Id = AlertId.Parse(id) }, ct)).For<AcknowledgeAlert>();
    }
}
