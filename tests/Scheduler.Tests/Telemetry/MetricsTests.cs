using System.Net;
using System.Text.RegularExpressions;
using BackupDr.Scheduler.Telemetry;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Telemetry;

/// <summary>What a monitoring system reads.</summary>
public sealed partial class MetricsTests(SchedulerDatabases databases)
{
    [GeneratedRegex("""^[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? (NaN|[+-]Inf|-?[0-9.]+(E[+-]?[0-9]+)?)$""")]
    private static partial Regex Line { get; }

    [GeneratedRegex("\\b(?:backupdr|process|dotnet)_[a-z_]+\\b")]
    private static partial Regex Name { get; }

    [Fact]
    public async Task A_scrape_with_a_key_has_one_family_after_another_and_one_without_is_refused()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("web-1");
        await fleet.ProtectReady(host, "/srv/\"quoted\" \\ path");
        await fleet.Finish(host, _ => Fleet.Backup());

        Assert.Equal(HttpStatusCode.Unauthorized, (await fleet.Node.Client().GetAsync("/api/v1/metrics")).StatusCode);
        var answer = await fleet.Node.AdminClient().GetAsync("/api/v1/metrics");

        Assert.Equal(PrometheusText.ContentType, answer.Content.Headers.ContentType!.ToString());
        var lines = (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines.Where(line => line[0] != '#'), line => Assert.Matches(Line, line));
        var families = lines.Where(line => line.StartsWith("# TYPE", StringComparison.Ordinal)).Select(line => line.Split(' ')[2]).ToList();
        Assert.Equal(families, families.Distinct());
        Assert.Contains("backupdr_runs_ended_last_day{kind=\"Backup\",state=\"Complete\"} 1", lines);
        Assert.Contains("backupdr_runs_open{kind=\"Drill\",state=\"Queued\"} 1", lines);
        Assert.Contains("backupdr_hosts{state=\"Online\"} 1", lines);
        Assert.Contains(lines, line => line.StartsWith("backupdr_item_newest_point_timestamp_seconds{item=\"", StringComparison.Ordinal)
            && line.Contains("\\\"quoted\\\"", StringComparison.Ordinal));
        Assert.All(TextOf("docs/operate/monitoring.md").Concat(TextOf("deploy/prometheus/backupdr.rules.yml")).Distinct(),
            name => Assert.Contains(name, families));
    }

    static IEnumerable<string> TextOf(string file) => Name.Matches(File.ReadAllText(Path.Combine(Service.Checkout(), file)))
        .Select(match => match.Value).Where(name => !name.EndsWith('_'));

    [Theory]
    [InlineData(1.5, "x 1.5\n")]
    [InlineData(double.NaN, "x NaN\n")]
    [InlineData(double.PositiveInfinity, "x +Inf\n")]
    [InlineData(double.NegativeInfinity, "x -Inf\n")]
    [InlineData(1e21, "x 1E+21\n")]
    public void Numbers_are_written_as_prometheus_reads_them(double value, string line)
        => Assert.EndsWith(line, new PrometheusText().Family("x", MetricKind.Gauge, "help").Value(value).ToString(),
            StringComparison.Ordinal);

    [Fact]
    public void Labels_and_help_are_escaped()
        => Assert.Equal("# HELP x a\\\\b\\nc\n# TYPE x counter\nx{a=\"q\\\"\\\\\\n\",b=\"2\"} 1\n", new PrometheusText()
            .Family("x", MetricKind.Counter, "a\\b\nc").Value(1, ("a", "q\"\\\n"), ("b", "2")).ToString());
}
