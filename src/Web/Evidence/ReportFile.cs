using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Web.Evidence;

/// <summary>The report of a month as a file, for the button of its page.</summary>
public static class ReportFile
{
    /// <summary>Where the button leads.</summary>
    public static string Route(PolicyId policy) => $"/policies/{policy}/report/csv";

    public static void MapReport(this IEndpointRouteBuilder routes)
        => routes.MapGet("/policies/{id}/report/csv", Write).ExcludeFromDescription();

    static async Task<IResult> Write(HttpContext http, string id, string? month, ShowEvidenceReport reports)
    {
        try
        {
            var report = await reports.Handle(http.Caller(), new ShowEvidenceReportRequest(PolicyId.Parse(id), month), http.RequestAborted);
            return Results.File(Encoding.UTF8.GetBytes(EvidenceText.Csv(report)), "text/csv; charset=utf-8",
                $"backupdr-evidence-{report.Month}.csv");
        }
        catch (BackupDrException e)
        {
            var problem = Problems.Of(e);
            return Results.Text($"{problem?.Title} {problem?.Hint}", "text/plain; charset=utf-8",
                statusCode: problem?.Status ?? StatusCodes.Status500InternalServerError);
        }
    }
}
