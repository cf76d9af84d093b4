using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Capacity;

/// <summary>Agents without hosts: each with a certificate and connections of its own, polling, reporting and completing as a real one
/// does; only the work itself takes no time.</summary>
sealed class Fleet : IAsyncDisposable
{
    const int JoinsOfOneAddress = 250, JoinsAtOnce = 8, ItemsOfAPolicy = 10;
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    readonly List<Agent> _agents = [];
    readonly CancellationTokenSource _stop = new();
    List<Task> _loops = [];
    X509Certificate2? _authority;

    sealed record Agent(HostId Host, AgentApiClient Client, int Number);

    /// <summary>One policy for each ten hosts.</summary>
    public List<PolicyId> Policies { get; } = [];
    /// <summary>The hosts.</summary>
    public IReadOnlyList<HostId> Hosts => [.. _agents.Select(agent => agent.Host)];
    /// <summary>Calls that failed.</summary>
    public int Failures;

    /// <summary>Joins hosts with one token.</summary>
    public static async Task<Fleet> Join(Installation node, int count, CancellationToken ct)
    {
        var fleet = new Fleet();
        using var api = node.Api();
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest(node.Agents.ToString().TrimEnd('/'), Uses: count), ct);
        fleet._authority = X509Certificate2.CreateFromPem(await node.Ask<string>("select certificate_pem from authority", ct));
        var gate = new Lock();
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions
        {
            MaxDegreeOfParallelism = JoinsAtOnce,
            CancellationToken = ct,
        }, async (number, stop) =>
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var csr = new CertificateRequest("CN=simulated", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
            using var http = Way(node.Agents, fleet._authority, number / JoinsOfOneAddress);
            var response = await http.PostAsync($"{AgentProtocol.Root}/join", JsonContent.Create(new JoinRequest
            {
                Token = token.Token,
                CsrPem = csr,
                HostName = $"host-{number:00000}",
                OperatingSystem = "simulated",
                AgentVersion = "0",
                ProtocolVersion = AgentProtocol.Version,
            }, WireJson.Default.JoinRequest), stop);
            response.EnsureSuccessStatusCode();
            var answer = (await response.Content.ReadFromJsonAsync(WireJson.Default.JoinAnswer, stop))!;
            using var certificate = X509Certificate2.CreateFromPem(answer.CertificatePem);
            var client = AgentApiClient.Joined(node.Agents, fleet._authority, certificate.CopyWithPrivateKey(key));
            lock (gate) fleet._agents.Add(new Agent(answer.HostId, client, number));
        });
        fleet._agents.Sort((a, b) => a.Number - b.Number);
        return fleet;
    }

    /// <summary>Nodes limit joins by address; loopback has plenty.</summary>
    static HttpClient Way(Uri agents, X509Certificate2 authority, int number) => new(new SocketsHttpHandler
    {
        SslOptions =
        {
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is X509Certificate2 leaf && IsSigned(leaf, authority),
        },
        ConnectCallback = async (context, stop) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.Bind(new IPEndPoint(new IPAddress([127, 1, (byte)(number / 250), (byte)(1 + number % 250)]), 0));
                await socket.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, stop);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    })
    { BaseAddress = agents };

    static bool IsSigned(X509Certificate2 leaf, X509Certificate2 authority)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(leaf);
    }

    /// <summary>Makes a policy for each ten hosts. Their first backups are queued with it.</summary>
    public async Task Protect(Installation node, CancellationToken ct)
    {
        using var api = node.Api();
        foreach (var some in _agents.Chunk(ItemsOfAPolicy))
        {
            var request = new CreatePolicyRequest
            {
                Items = [.. some.Select(agent => new NewItem(agent.Host, new SourceSpec
                {
                    Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] },
                }))],
                Spec = new PolicySpec
                {
                    Schedule = new ScheduleSpec { Every = TimeSpan.FromDays(1) },
                    Proof = new ProofSpec { DrillAfterFirst = false, DrillEvery = TimeSpan.Zero },
                },
            };
            Policies.Add((await Patiently(() => api.CreatePolicy(request, ct), ct)).Id);
        }
    }

    /// <summary>The API lets one key make so many calls a second.</summary>
    static async Task<T> Patiently<T>(Func<Task<T>> call, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try { return await call(); }
            catch (UnavailableException) when (tries < 60) { await Task.Delay(Pause, ct); }
        }
    }

    /// <summary>Lets all agents begin, spread over one poll.</summary>
    public void Begin() => _loops = [.. _agents.SelectMany(agent => new[] { Poll(agent, _stop.Token), Duties(agent, _stop.Token) })];

    async Task Poll(Agent agent, CancellationToken ct)
    {
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(10.0 * agent.Number / _agents.Count), ct);
            var failures = 0;
            while (!ct.IsCancellationRequested)
            {
                try
                {
                    var answer = await agent.Client.Lease(new LeaseRequest { Slots = 2, WaitSeconds = 10, AgentVersion = "0" }, ct);
                    if (answer?.Run is { } run) await Work(agent, run, ct);
                    failures = 0;
                }
                catch (BackupDrException) { await Fail(++failures, ct); }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    async Task Duties(Agent agent, CancellationToken ct)
    {
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(10.0 * agent.Number / _agents.Count), ct);
            var failures = 0;
            while (!ct.IsCancellationRequested)
            {
                try
                {
                    var answer = await agent.Client.Duties(new DutiesRequest { Process = $"simulated {agent.Number}" }, ct);
                    await Task.Delay(answer.NextMs, ct);
                    failures = 0;
                }
                catch (BackupDrException) { await Fail(++failures, ct); }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    /// <summary>Counts it, and waits as a real agent does: up to half a second, one, two, four … fifteen.</summary>
    async Task Fail(int failures, CancellationToken ct)
    {
        Interlocked.Increment(ref Failures);
        await Task.Delay(TimeSpan.FromSeconds(0.1 + Random.Shared.NextDouble() * Math.Min(15, 0.25 * (1 << Math.Min(failures, 10)))), ct);
    }

    /// <summary>Waits until no call has failed for ten seconds; how long that took.</summary>
    public async Task<TimeSpan> Calm(TimeSpan patience, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        for (var (seen, quiet) = (-1, 0); quiet < 10; await Task.Delay(Pause, ct))
        {
            quiet = seen == Failures ? quiet + 1 : 0;
            seen = Failures;
            if (Stopwatch.GetElapsedTime(begun) > patience)
                throw new TimeoutException($"Calls still fail after {patience}: {seen} so far.");
        }
        return Stopwatch.GetElapsedTime(begun);
    }

    static async Task Work(Agent agent, LeasedRun run, CancellationToken ct)
    {
        await agent.Client.Report(new ReportRequest
        {
            RunId = run.RunId,
            Epoch = run.Epoch,
            Seq = 1,
            Events = [new RunEventLine(TimeProvider.System.GetUtcNow(), EventLevel.Info, "backup.begun", "A simulated backup.")],
        }, ct);
        await agent.Client.Complete(new CompleteRequest(run.RunId, run.Epoch, ResultOf(run.Job.Kind)), ct);
    }

    static JobResult ResultOf(JobKind kind) => kind switch
    {
        JobKind.Init => new JobResult { Outcome = JobOutcome.Complete, ConfigId = NewId() },
        JobKind.Backup => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Backup = new BackupResult
            {
                SnapshotId = NewId(),
                TakenAt = TimeProvider.System.GetUtcNow(),
                Files = 100,
                Bytes = 1_000_000,
            },
        },
        _ => new JobResult
        {
            Outcome = JobOutcome.Failed,
            Error = new JobError("run.failed", "Simulated agents only back up.", null, false),
        },
    };

    static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Waits until no run is open.</summary>
    public static async Task Quiet(Installation node, TimeSpan patience, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(patience);
        while (await node.Ask<long>("select count(*) from run where state in ('Queued', 'Leased', 'Running') and due_at <= clock()",
            late.Token) > 0) await Task.Delay(200, late.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_loops);
        foreach (var agent in _agents) agent.Client.Dispose();
        _authority?.Dispose();
        _stop.Dispose();
    }
}
