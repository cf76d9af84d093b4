using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Storage;
using BackupDr.Storage.Layers;
using BackupDr.Storage.Rest;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace BackupDr.Scheduler.Tests.Gateway;

/// <summary>A node with a gateway location in a temporary folder, and a host that has a repository in it.</summary>
sealed class GatewayRig : IAsyncDisposable
{
    /// <summary>Rules of nobody: the store itself is what is tested.</summary>
    sealed record Free : GatewayRules
    {
        public override bool IsNamedByContent(ObjectName name) => false;
        public override bool MayPut(ObjectName name) => true;
        public override bool MayDelete(ObjectName name) => true;
    }

    readonly ScratchFolder _scratch = new();
    X509Certificate2? _authority;

    GatewayRig(TestNode node, JoinedHost host) => (Node, Host) = (node, host);

    public TestNode Node { get; }
    public JoinedHost Host { get; }
    public Location Location { get; private set; } = null!;
    public RepositoryAccess Access { get; private set; } = null!;
    public ScratchFolder Scratch => _scratch;

    /// <summary>The folder that the node serves.</summary>
    public string Folder => _scratch.At("gateway");

    /// <summary>Where the host's repository is in it.</summary>
    public string RepositoryFolder => Path.Combine(Folder, Host.Id.ToString());

    public static async Task<GatewayRig> Start(SchedulerDatabases databases, bool isFree = false, long? quotaBytes = null)
    {
        var node = await TestNode.Start(databases, add: builder =>
        {
            if (isFree) builder.Services.AddSingleton<GatewayRules>(new Free());
        });
        var rig = new GatewayRig(node, await node.Join());
        rig._authority = X509Certificate2.CreateFromPem(node.Get<CertificateAuthority>().AuthorityPem);
        rig.Location = await node.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = "Gateway",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(rig.Folder),
            QuotaBytes = quotaBytes,
        }, default);
        rig.Access = await rig.NewRepository(rig.Host.Id);
        return rig;
    }

    public async Task<RepositoryAccess> NewRepository(HostId host)
    {
        await using var tx = await Node.Db.Begin(default);
        var id = await Node.Get<RepositoryTable>().For(tx, Location.Id, host, default);
        var access = await Node.Get<RepositoryTable>().Access(tx, id, default);
        await tx.Commit(default);
        return access;
    }

    /// <summary>The store as the host's agent opens it.</summary>
    public IObjectStore Open(string? url = null, X509Certificate2? certificate = null)
        => Open(() => certificate ?? Host.Certificate, url);

    /// <summary>The same with whatever certificate the agent has at the time.</summary>
    public IObjectStore Open(Func<X509Certificate2> certificate, string? url = null)
    {
        var options = new StoreOptions
        {
            ClientCertificate = certificate,
            Authority = _authority,
            Retry = new RetryOptions { Budget = TimeSpan.Zero },
        };
        return StoreFactory.Open(url ?? Access.Url, options);
    }

    /// <summary>The way of the host's agent to the node.</summary>
    public HttpMessageHandler Way() => Node.AgentWay(Host.Certificate);

    /// <summary>The store as it is used, over a bad network and with little patience.</summary>
    public IObjectStore OpenOver(FaultProxy proxy)
    {
        var retry = new RetryOptions { FirstPause = TimeSpan.FromMilliseconds(2), Budget = TimeSpan.FromSeconds(60) };
        var address = RestAddress.Parse($"rest:{proxy.Url}/gateway/{Access.Id}/", new StoreOptions());
        var store = new RestStore(address, new StoreOptions { Retry = retry }, stallPatience: TimeSpan.FromSeconds(3));
        return new RetryingStore(store, retry, TimeProvider.System);
    }

    /// <summary>A new certificate for the host, whose first use ends the former.</summary>
    public async Task<X509Certificate2> Renew()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var answer = await Node.Get<RenewCertificate>().Handle(Caller.Agent(Host.Id), new RenewRequest(TestNode.Csr(key)), default);
        var renewed = TestNode.WithKey(answer.CertificatePem, key);
        using var used = await Node.AgentClient(renewed).PostAsync(new Uri("/agent/v1/lease", UriKind.Relative),
            TestNode.Json(new LeaseRequest { Slots = 0, WaitSeconds = 0 }, WireJson.Default.LeaseRequest));
        used.EnsureSuccessStatusCode();
        return renewed;
    }

    /// <summary>Stock restic with a user of the repository; its password is that of the repository.</summary>
    public async Task<ResticCli> Restic(string? userPassword = null)
    {
        var user = await Node.Get<CreateGatewayUser>().Handle(TestNode.Admin, new CreateGatewayUserRequest(Access.Id), default);
        var authority = _scratch.File("authority.pem", user.AuthorityPem);
        var url = user.Url.Replace("https://", $"https://{user.User}:{userPassword ?? user.Password}@", StringComparison.Ordinal);
        return new ResticCli(url, Access.Password, _scratch.At("cache"), "--cacert", authority);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        _authority?.Dispose();
        _scratch.Dispose();
    }
}
