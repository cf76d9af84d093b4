using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Trail;

namespace BackupDr.Web.Audit;

/// <summary>The audit log as files: what a filter shows as CSV, and everything as an export that verifies without us.</summary>
public static class AuditFile
{
    const int RowsAtOnce = 500, MostRows = 100_000;

    static readonly string[] Names = ["actor", "action", "object", "text", "since", "until"];

    public static void MapAuditFiles(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/audit/export.csv", Csv).ExcludeFromDescription();
        routes.MapGet("/audit/export.jsonl", (HttpContext http, ExportAudit export) => Results.Stream(
            into => export.Handle(http.Caller(), new ExportAuditRequest(), into, http.RequestAborted), "application/x-ndjson",
            "backupdr-audit.jsonl")).ExcludeFromDescription();
    }

    /// <summary>What the address of the page asks for.</summary>
    /// <exception cref="BadInputException">A day is none.</exception>
    public static ListAuditRequest Filter(IQueryCollection query) => new(null, 100, query["actor"], query["action"], query["object"],
        query["text"], Day(query["since"]), Day(query["until"]));

    /// <summary>The filter as a query, beginning with a question mark; empty for none.</summary>
    public static string Query(IQueryCollection query)
    {
        var given = Names.Where(name => query[name].ToString().Length > 0).Select(name
            => $"{name}={Uri.EscapeDataString(query[name].ToString())}");
        return string.Join('&', given) is { Length: > 0 } text ? "?" + text : "";
    }

    static DateTimeOffset? Day(string? text) => string.IsNullOrWhiteSpace(text) ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day) ? day
            : throw new BadInputException("since", $"'{text}' is no day.", "For example 2026-11-22");

    static async Task Csv(HttpContext http, ListAudit list)
    {
        var ct = http.RequestAborted;
        var filter = Filter(http.Request.Query) with { Limit = RowsAtOnce };
        var page = await list.Handle(http.Caller(), filter, ct);   // refused before anything is sent
        http.Response.ContentType = "text/csv; charset=utf-8";
        http.Response.Headers.ContentDisposition = "attachment; filename=\"backupdr-audit.csv\"";
        await http.Response.WriteAsync("number,at,who,what,object,detail,hash\r\n", ct);
        for (var rows = 0; ;)
        {
            foreach (var entry in page.Entries)
                await http.Response.WriteAsync(string.Join(',', entry.Seq.ToString(CultureInfo.InvariantCulture),
                    entry.At.UtcDateTime.ToString("O", CultureInfo.InvariantCulture), Cell(entry.Actor), Cell(entry.Action),
                        Cell(entry.Object),
                    Cell(entry.Detail), entry.Hash) + "\r\n", ct);
            if (page.Next is not { } next || (rows += page.Entries.Count) >= MostRows) return;
            page = await list.Handle(http.Caller(), filter with { Before = next }, ct);
        }
    }

    /// <summary>A cell that no spreadsheet takes for a formula.</summary>
    internal static string Cell(string text)
    {
        var safe = text.Length > 0 && text[0] is ('=' or '+' or '-' or '@' or '\t' or '\r') ? "'" + text : text;
        return new StringBuilder("\"").Append(safe.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"').ToString();
    }
}
