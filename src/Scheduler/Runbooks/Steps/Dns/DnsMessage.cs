namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>Types of records that are used here.</summary>
enum DnsType : ushort
{
    A = 1,
    Cname = 5,
    Soa = 6,
    Txt = 16,
    Aaaa = 28,
    Tsig = 250,
    Any = 255,
}

/// <summary>Classes; in an update they also say what is done.</summary>
enum DnsClass : ushort
{
    In = 1,
    /// <summary>Does not exist, or is deleted by its value.</summary>
    None = 254,
    /// <summary>Exists whatever it says, or is deleted whole.</summary>
    Any = 255,
}

/// <summary>What a server answers; those above 15 stand in a signature only.</summary>
enum DnsCode : ushort
{
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    YxRrset = 7,
    NxRrset = 8,
    NotAuth = 9,
    NotZone = 10,
    BadSig = 16,
    BadKey = 17,
    BadTime = 18,
    BadTrunc = 22,
}

/// <summary>What is asked, or the zone of an update.</summary>
readonly record struct DnsQuestion(DnsName Name, DnsType Type, DnsClass Class);

/// <summary>A record.</summary>
/// <param name="Name">Whose.</param>
/// <param name="Type">Its type.</param>
/// <param name="Class">Its class, or what an update does with it.</param>
/// <param name="Ttl">Seconds that it may be remembered.</param>
/// <param name="Data">What it says; names in it are uncompressed.</param>
sealed record DnsRecord(DnsName Name, DnsType Type, DnsClass Class, uint Ttl, byte[] Data);

/// <summary>A message, read or to be written. In an update the four parts are zone, prerequisites, updates and additional records.
/// </summary>
sealed record DnsMessage
{
    public required ushort Id { get; init; }
    public required ushort Flags { get; init; }
    public IReadOnlyList<DnsQuestion> Questions { get; init; } = [];
    public IReadOnlyList<DnsRecord> Answers { get; init; } = [];
    public IReadOnlyList<DnsRecord> Authorities { get; init; } = [];
    public IReadOnlyList<DnsRecord> Additionals { get; init; } = [];
    /// <summary>Where the signature began, of a message that was read; null without one.</summary>
    public int? SignedUntil { get; init; }

    /// <summary>Flags of an update that is sent.</summary>
    public const ushort Update = 5 << 11;
    /// <summary>It is an answer.</summary>
    public const ushort IsAnswer = 0x8000;
    /// <summary>The server is an authority for it.</summary>
    public const ushort IsAuthoritative = 0x0400;
    /// <summary>It was cut.</summary>
    public const ushort IsTruncated = 0x0200;
    const ushort Operation = 0x7800;

    /// <summary>What the server answers.</summary>
    public DnsCode Code => (DnsCode)(Flags & 0x0f);

    /// <summary>Whether it answers this one.</summary>
    public bool Replies(DnsMessage asked) => Id == asked.Id && (Flags & IsAnswer) != 0 && (Flags & Operation) == (asked.Flags & Operation);
}
