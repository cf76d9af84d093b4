using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Replicas;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>A region whose packets are dropped, with real sockets: Linux drops who knocks where the queue of a listener is full.</summary>
public sealed class SilentRegionTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    /// <summary>Knocks until nobody is let in any more.</summary>
    static async Task<List<Socket>> Fill(EndPoint listener)
    {
        var knocked = new List<Socket>();
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            knocked.Add(socket);
            using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            try { await socket.ConnectAsync(listener, patience.Token); }
            catch (OperationCanceledException) { return knocked; }   // it is full
        }
    }

    [Fact]
    public async Task A_region_that_drops_packets_is_passed_over_before_its_time_out()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.At("near"));
        await File.WriteAllTextAsync(scratch.At("near/config"), "sealed", _ct);
        using var region = new TcpListener(IPAddress.Loopback, 0);
        region.Start(backlog: 1);
        var knocked = await Fill(region.LocalEndpoint);
        var news = new ConcurrentQueue<PlaceNews>();
        var access = new RepositoryAccess
        {
            Id = RepositoryId.New(TimeProvider.System),
            Url = $"s3:http://{region.LocalEndpoint}/fleet",
            Options = ["s3.region=us-east-1"],
            Variables = new Dictionary<string, string> { ["AWS_ACCESS_KEY_ID"] = "key", ["AWS_SECRET_ACCESS_KEY"] = "secret" },
            Password = "a password",
            Replicas = [new RepositoryPlace { Location = LocationId.New(TimeProvider.System), Url = scratch.At("near") }],
        };

        var begun = Stopwatch.GetTimestamp();
        await using var store = await new AgentStores(null!).OpenToRead(access, _ct, tell: news.Enqueue);
        TestContext.Current.TestOutputHelper?.WriteLine($"opened in {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");

        Assert.NotNull(await store.Head(ObjectLayout.Config, _ct));
        Assert.True(news.TryPeek(out var first));
        Assert.Equal((access.Url, false), (first.Place, first.IsBack));
        foreach (var socket in knocked) socket.Dispose();
    }
}
