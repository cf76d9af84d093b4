using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Alerts.Channels;

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
        api.MapPost("alerts/{id}/end", (Caller caller, string id, EndAlertRequest request, EndAlert handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = AlertId.Parse(id) }, ct)).For<EndAlert>();
        api.MapGet("channels", (Caller caller, ListChannels handler, CancellationToken ct)
            => handler.Handle(caller, new ListChannelsRequest(), ct)).For<ListChannels>();
        api.MapGet("channels/{id}", (Caller caller, string id, ShowChannel handler, CancellationToken ct)
            => handler.Handle(caller, new ShowChannelRequest(ChannelId.Parse(id)), ct)).For<ShowChannel>();
        api.MapPost("channels", (Caller caller, SaveChannelRequest request, SaveChannel handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = null }, ct)).For<SaveChannel>();
        api.MapPut("channels/{id}", (Caller caller, string id, SaveChannelRequest request, SaveChannel handler, CancellationToken ct)
            => handler.Handle(caller, request with { Id = ChannelId.Parse(id) }, ct)).For<SaveChannel>().WithName("EditChannel");
        api.MapDelete("channels/{id}", async (Caller caller, string id, RemoveChannel handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, new RemoveChannelRequest(ChannelId.Parse(id)), ct);
            return Results.NoContent();
        }).For<RemoveChannel>();
        api.MapPost("channels/{id}/test", (Caller caller, string id, TestChannel handler, CancellationToken ct)
            => handler.Handle(caller, new TestChannelRequest(ChannelId.Parse(id)), ct)).For<TestChannel>();
    }
}
