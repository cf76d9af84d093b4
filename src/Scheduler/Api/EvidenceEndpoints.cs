using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Scheduler.Api;

/// <summary>The routes of the evidence.</summary>
static class EvidenceEndpoints
{
    const string Lines = "application/x-ndjson";

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("evidence", (Caller caller, string? subject, string? kind, string? run, string? point, DateTimeOffset? since,
            DateTimeOffset? until, long? before, int? limit, ListEvidence handler, CancellationToken ct)
            => handler.Handle(caller, new ListEvidenceRequest
            {
                Subject = subject,
                Kind = kind,
                Run = run is null ? null : RunId.Parse(run),
                Point = point is null ? null : RecoveryPointId.Parse(point),
                Since = since,
                Until = until,
                Before = before,
                Limit = limit ?? 50,
            }, ct)).For<ListEvidence>();
        api.MapGet("evidence/{id}", (Caller caller, string id, ShowEvidence handler, CancellationToken ct)
            => handler.Handle(caller, new ShowEvidenceRequest(EvidenceId.Parse(id)), ct)).For<ShowEvidence>();
        api.MapGet("evidence/export", (Caller caller, DateTimeOffset? since, DateTimeOffset? until, ExportEvidence handler,
            CancellationToken ct) => Results.Stream(into => handler.Handle(caller, new ExportEvidenceRequest(since, until), into, ct),
                Lines, "backupdr-evidence.jsonl")).For<ExportEvidence>();
        api.MapGet("policies/{id}/report", (Caller caller, string id, string? month, ShowEvidenceReport handler, CancellationToken ct)
            => handler.Handle(caller, new ShowEvidenceReportRequest(PolicyId.Parse(id), month), ct)).For<ShowEvidenceReport>();
    }
}
