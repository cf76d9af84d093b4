using System.Collections.Concurrent;
using System.Net;
using System.Text;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Telemetry;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace BackupDr.Scheduler.Tests.Telemetry;

/// <summary>A node tells a collector of its runs, its numbers and its log.</summary>
public sealed partial class OtlpTests(SchedulerDatabases databases)
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    /// <summary>A collector that keeps every text of what it was sent.</summary>
    sealed class Collector : IAsyncDisposable
    {
        readonly WebApplication _app;
        readonly ConcurrentDictionary<string, ConcurrentBag<string>> _texts = new(StringComparer.Ordinal);

        Collector(WebApplication app) => _app = app;

        public string Address => _app.Urls.First();

        public static async Task<Collector> Start()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            var collector = new Collector(builder.Build());
            collector._app.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
            {
                Assert.Equal("application/x-protobuf", request.ContentType);
                using var body = new MemoryStream();
                await request.Body.CopyToAsync(body);
                Texts(body.ToArray(), collector._texts.GetOrAdd(signal, _ => []), depth: 0);
            });
            await collector._app.StartAsync();
            return collector;
        }

        /// <summary>Waits until all of the texts were among what was sent of one signal.</summary>
        public async Task Until(string signal, params string[] texts)
        {
            using var late = new CancellationTokenSource(Patience);
            var missing = texts;
            while ((missing = [.. texts.Except(_texts.GetValueOrDefault(signal) ?? [])]).Length > 0)
            {
                if (late.IsCancellationRequested) Assert.Fail($"{signal}: {string.Join(", ", missing)} did not come.");
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
        }

        // Protobuf does not say which length-delimited fields are messages: what reads to its end as one is looked into as well.
        static bool Texts(ReadOnlySpan<byte> message, ConcurrentBag<string> into, int depth)
        {
            if (depth > 16) return false;
            while (message.Length > 0)
            {
                if (!Number(ref message, out var tag)) return false;
                switch (tag & 7)
                {
                    case 0 when Number(ref message, out _): break;
                    case 1 when message.Length >= 8: message = message[8..]; break;
                    case 5 when message.Length >= 4: message = message[4..]; break;
                    case 2 when Number(ref message, out var length) && length <= (ulong)message.Length:
                        var field = message[..(int)length];
                        message = message[(int)length..];
                        if (field.Length == 16) into.Add(Convert.ToHexStringLower(field));
                        if (field.IndexOfAnyInRange((byte)0, (byte)31) < 0) into.Add(Encoding.UTF8.GetString(field));
                        Texts(field, into, depth + 1);
                        break;
                    default: return false;
                }
            }
            return true;
        }

        static bool Number(ref ReadOnlySpan<byte> from, out ulong value)
        {
            value = 0;
            for (var at = 0; at < 10 && at < from.Length; at++)
            {
                value |= (ulong)(from[at] & 0x7f) << (7 * at);
                if (from[at] >= 0x80) continue;
                from = from[(at + 1)..];
                return true;
            }
            return false;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }

    [Fact]
    public async Task A_collector_is_sent_the_runs_the_numbers_and_the_log()
    {
        await using var collector = await Collector.Start();
        await using var fleet = await Fleet.Start(databases, settings => settings with
        {
            Node = settings.Node with { Name = "node-of-telemetry" },
            Log = new LogOptions { Level = LogLevel.Warning },
            Telemetry = new TelemetryOptions { Otlp = new OtlpOptions { Endpoint = $"{collector.Address}/", MetricSeconds = 1 } },
        });
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var good = await fleet.Finish(host, _ => Fleet.Backup());
        var bad = await fleet.Finish(host, _ => new JobResult
        {
            Outcome = JobOutcome.Failed,
            Error = new JobError("store.denied", "The store denies it.", null, false),
        });
        Tell(fleet.Get<ILoggerFactory>().CreateLogger("BackupDr.Test"), good.RunId.ToString());

        await collector.Until("traces", "run Backup", "backupdr.run.id", good.RunId.ToString(), good.RunId.Value.ToString("N"),
            bad.RunId.ToString(), bad.RunId.Value.ToString("N"), "store.denied", host.ToString(), "node-of-telemetry", "backupdr-node");
        await collector.Until("metrics", "backupdr_items", "backupdr_runs_ended_last_day", "backupdr.run.duration",
            "process_cpu_seconds_total", "node-of-telemetry");
        await collector.Until("logs", $"The run {good.RunId} is remarkable", good.RunId.ToString(), "Run", "node-of-telemetry");
    }

    [Fact]
    public async Task A_collector_that_is_away_holds_nothing_up()
    {
        await using var fleet = await Fleet.Start(databases, settings => settings with
        {
            Telemetry = new TelemetryOptions { Otlp = new OtlpOptions { Endpoint = "http://127.0.0.1:1", MetricSeconds = 1 } },
        });
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");

        Assert.Equal(JobKind.Backup, (await fleet.Finish(host, _ => Fleet.Backup())).Job.Kind);
    }

    [Theory]
    [InlineData("127.0.0.1:4318")]
    [InlineData("ftp://collector")]
    [InlineData("http://user:secret@collector:4318")]
    [InlineData("http://collector:4318/?key=1")]
    public void What_is_no_address_of_a_collector_is_refused(string endpoint)
        => Assert.Contains("Telemetry:Otlp:Endpoint", Assert.Single(new OtlpOptions { Endpoint = endpoint }.Problems()),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("http://collector:4318", "http://collector:4318/v1/logs")]
    [InlineData("https://collector/otlp/", "https://collector/otlp/v1/logs")]
    public void A_signal_goes_below_the_address(string endpoint, string expected)
        => Assert.Equal(expected, new OtlpOptions { Endpoint = endpoint }.To("logs").ToString());

    [LoggerMessage(1, LogLevel.Warning, "The run {Run} is remarkable")]
    static partial void Tell(ILogger log, string run);
}
