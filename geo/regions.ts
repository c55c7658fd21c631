/**
 * Regions with their coordinates: Fly.io's codes, which are those of airports, and some that it had
 * before. A region that is not here works as well; its distances are known once they are measured.
 *
 * Sources: Fly.io's list of regions (August 2026); coordinates of the airports of that name
 * (OurAirports), rounded to 0.01 degrees.
 */

export interface Region {
  readonly city: string;
  /** Degrees. */
  readonly latitude: number;
  readonly longitude: number;
}

const OPEN = `
ams Amsterdam 52.31 4.76
arn Stockholm 59.65 17.92
bom Mumbai 19.09 72.87
cdg Paris 49.01 2.55
dfw Dallas 32.90 -97.04
ewr Secaucus 40.69 -74.17
fra Frankfurt 50.03 8.57
gru São_Paulo -23.44 -46.47
iad Ashburn 38.94 -77.46
jnb Johannesburg -26.14 28.25
lax Los_Angeles 33.94 -118.41
lhr London 51.48 -0.46
nrt Tokyo 35.76 140.39
ord Chicago 41.98 -87.90
sin Singapore 1.35 103.99
sjc San_Jose 37.36 -121.93
syd Sydney -33.95 151.18
yyz Toronto 43.68 -79.63`;

const FORMER = `
atl Atlanta 33.64 -84.43
bos Boston 42.36 -71.01
den Denver 39.86 -104.67
gig Rio_de_Janeiro -22.81 -43.25
hkg Hong_Kong 22.31 113.92
mad Madrid 40.47 -3.56
mia Miami 25.79 -80.29
otp Bucharest 44.57 26.10
phx Phoenix 33.43 -112.01
sea Seattle 47.45 -122.31
waw Warsaw 52.17 20.97
yul Montreal 45.47 -73.74`;

export const REGIONS: ReadonlyMap<string, Region> = new Map(
  `${OPEN}${FORMER}`
    .trim()
    .split("\n")
    .map((line) => {
      const [code, city, latitude, longitude] = line.split(" ") as [string, string, string, string];
      const place = { latitude: Number(latitude), longitude: Number(longitude) };
      return [code, { city: city.replaceAll("_", " "), ...place }];
    }),
);

const EARTH_KM = 6371;

/** Along the surface. */
export function distanceKm(a: Region, b: Region): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const dLatitude = radians(b.latitude - a.latitude);
  const dLongitude = radians(b.longitude - a.longitude);
  const h =
    Math.sin(dLatitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLongitude / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}
